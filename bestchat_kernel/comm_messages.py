"""What pages and a widget's kernel say to each other through the widget's comm."""

from __future__ import annotations

import msgspec


class PageMessage(msgspec.Struct, frozen=True, tag_field="door"):
    """Something that a page says."""

    key: str
    """By which a message that is heard twice is known."""


class Call(PageMessage, frozen=True, tag="call"):
    """Call a procedure."""

    id: str
    """By which the page knows the answer."""
    name: str
    """Of the procedure."""
    body: str
    """The request, as JSON."""


class ToLine(PageMessage, frozen=True, tag="frame"):
    """Take a frame that the page says on one of its lines, each of which stands for a WebSocket."""

    line: str
    """Which line; one that is not known yet begins with this."""
    text: str
    """The frame, as JSON."""


class HangUp(PageMessage, frozen=True, tag="hang_up"):
    """End a line."""

    line: str
    """Which one."""


FromPage = Call | ToLine | HangUp


class KernelMessage(msgspec.Struct, frozen=True, tag_field="door"):
    """Something that the kernel says, to all pages that show the widget."""


class Answer(KernelMessage, frozen=True, tag="answer"):
    """What a call has brought."""

    id: str
    """Of the call."""
    status: int
    """As in HTTP."""
    body: str
    """The response or the error, as JSON."""


class FromLine(KernelMessage, frozen=True, tag="frames"):
    """Frames that came on a line, oldest first."""

    line: str
    """Which line."""
    frames: list[str]
    """Each as JSON."""


class LineClosed(KernelMessage, frozen=True, tag="closed"):
    """The kernel knows a line no more."""

    line: str
    """Which one."""
