"""BestChat's server side: conversation, provider and tool services, and the doors to them.

The house, from the top; imports only go down, and neighbours on a floor do not know each other::

    command                     the `bestchat` command
    web | client | testing      doors: Tornado handlers; clients, near and far; help for tests
    bootstrap                   the only place that chooses and builds adapters
    dispatch | settings         procedure name -> service, access check; every option
    services | adapters         the verbs; translations of heavy libraries
    ports | api                 protocols between the two; the declaration of every operation
    core                        values and decisions, without I/O

Importing this package loads none of it: Jupyter Server imports it at every start.
"""

from __future__ import annotations

import logging
from typing import Any

# What is logged goes where whoever runs us says; where nobody does, as in a kernel, nowhere.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server where the extension is."""
    from bestchat_server_ext.web.extension import BestChat

    return [{"module": "bestchat_server_ext.web.extension", "app": BestChat}]
