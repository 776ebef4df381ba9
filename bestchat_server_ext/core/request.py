"""What is sent to a model: the projection of a conversation, not its transcript."""

from __future__ import annotations

import msgspec

from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import ModelRef, RequestOptions
from bestchat_server_ext.core.tools import ToolSpec


class ModelRequest(msgspec.Struct, frozen=True):
    """One step, as a lane gets it."""

    model: ModelRef
    """Who is to answer."""
    messages: tuple[Message, ...]
    """The branch that the answer continues, oldest first."""
    system: str = ""
    """Standing instructions."""
    tools: tuple[ToolSpec, ...] = ()
    """What the model may call."""
    options: RequestOptions = RequestOptions()
    """How to answer."""
    owner: OwnerId | None = None
    """Whose key is used; none for the one of the process."""
