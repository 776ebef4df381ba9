"""Messages that wait for their turn: said while another turn was running."""

from __future__ import annotations

from datetime import datetime

import msgspec

from bestchat_server_ext.core.ids import RequestId, TurnId
from bestchat_server_ext.core.messages import FilePart, ImagePart
from bestchat_server_ext.core.models import RequestOptions

QUEUE_LIMIT = 20
"""Messages that may wait in one conversation."""


class QueuedMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A user message that will be sent when the turns before it have finished."""

    turn_id: TurnId
    """The turn that will answer it; it exists only once the message is sent."""
    request_id: RequestId
    """The client's own id of the request that said it."""
    text: str
    """What the user said."""
    model: str
    """The model that is to answer."""
    queued_at: datetime
    """When it was said, UTC."""
    images: tuple[ImagePart, ...] = ()
    """The pictures that go along."""
    options: RequestOptions = RequestOptions()
    """How to answer."""
    attended: bool = True
    """Whether a person is there to be asked for approvals."""
    files: tuple[FilePart, ...] = ()
    """The files that go along."""


def queued_bytes(message: QueuedMessage) -> int:
    """About how many bytes a message takes while it waits."""
    return len(message.text.encode()) + sum(len(image.data) for image in message.images)
