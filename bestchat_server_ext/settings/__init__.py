"""Every option, once; and where each value comes from.

    options     every option: its type, its default and what it does
    files       `bestchat_config.json` and `bestchat_config.py` on Jupyter's configuration path
    loading     files, then the environment, then the server's own configuration on top
    masking     values as people may see them

Both doors read their options here. An option `default_model` is set, from the lowest to the
highest, by `c.BestChat.default_model` in a configuration file, by the variable
`BESTCHAT_DEFAULT_MODEL`, and by `c.BestChat.default_model` in the server's own configuration.
"""

from __future__ import annotations

from bestchat_server_ext.settings.files import config_files
from bestchat_server_ext.settings.loading import (
    NOT_OPTIONS,
    Loaded,
    Origin,
    load,
    load_with_origins,
    strangers,
)
from bestchat_server_ext.settings.masking import masked
from bestchat_server_ext.settings.options import PREFIX, Settings, variable

__all__ = [
    "NOT_OPTIONS",
    "PREFIX",
    "Loaded",
    "Origin",
    "Settings",
    "config_files",
    "load",
    "load_with_origins",
    "masked",
    "strangers",
    "variable",
]
