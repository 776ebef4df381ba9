"""Options are declared once: what Jupyter's configuration knows is what the settings know."""

from __future__ import annotations

from bestchat_server_ext.settings import Settings
from bestchat_server_ext.web.extension import OPTIONS, BestChat


def test_every_option_can_be_set_in_jupyters_configuration() -> None:
    assert set(OPTIONS) == set(Settings.model_fields)
    assert set(OPTIONS) <= set(BestChat.class_own_traits(config=True))
