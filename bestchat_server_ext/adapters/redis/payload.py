"""Frames as they travel through Redis: who sent them, then a JSON array of them.

The JSON of a frame is made once, for sockets and for Redis. A process knows its own mark and looks
no further: its own listeners have heard already.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bestchat_server_ext.ports.bus import Frame, Item

MARK_BYTES = 16
"""Length of what tells senders apart."""

_raw: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_items: msgspec.json.Decoder[Item] = msgspec.json.Decoder(Item)


def pack(mark: bytes, frames: Sequence[Frame]) -> bytes:
    """Frames for the others. None at all says that some were lost on the way."""
    return mark + b"[" + b",".join([frame.json for frame in frames]) + b"]"


def unpack(payload: bytes) -> list[Frame]:
    """The frames that somebody else has sent.

    What cannot be read, because a newer version wrote it perhaps, counts as lost.
    """
    try:
        found = _raw.decode(memoryview(payload)[MARK_BYTES:])
        return [Frame(_items.decode(raw), bytes(raw)) for raw in found]
    except msgspec.MsgspecError:
        return []
