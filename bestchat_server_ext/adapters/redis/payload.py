"""Frames as they travel through Redis: who sent them, then a JSON array of them.

The JSON of a frame is made once, for sockets and for Redis. A process knows its own mark and looks
no further: its own listeners have heard already.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bestchat_server_ext.ports.bus import Frame, Item, belongs

MARK_BYTES = 16
"""Length of what tells senders apart."""

MAX_BYTES = 8 * 1024 * 1024
"""The longest payload: what is longer is read from storage, and counts as lost here."""

_raw: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_items: msgspec.json.Decoder[Item] = msgspec.json.Decoder(Item)


def pack(mark: bytes, frames: Sequence[Frame]) -> bytes:
    """Frames for the others. None at all says that some were lost on the way."""
    packed = mark + b"[" + b",".join([frame.json for frame in frames]) + b"]"
    return packed if len(packed) <= MAX_BYTES else mark + b"[]"


def unpack(topic: str, payload: bytes) -> list[Frame]:
    """The frames that somebody else has sent on a topic.

    What cannot be read, because a newer version wrote it perhaps, counts as lost; so does what is
    not of the topic's conversation, which nobody sends by mistake.
    """
    if len(payload) > MAX_BYTES:
        return []
    try:
        found = _raw.decode(memoryview(payload)[MARK_BYTES:])
        frames = [Frame(_items.decode(raw), bytes(raw)) for raw in found]
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return []
    return frames if all(belongs(frame.item, topic) for frame in frames) else []
