"""The window guard: which messages of a branch are sent, when a model cannot take them all.

The oldest turns are left out once four fifths of the window are used, and so many of them that half
of it is free again: consecutive requests then share their beginning for a while, and a provider's
cache recognises it. What is left out stays in the conversation. Turns with a pinned message stay in
every request, and so does the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bestchat_server_ext.core.conversation import Turn
from bestchat_server_ext.core.cost import message_tokens
from bestchat_server_ext.core.ids import MessageId
from bestchat_server_ext.core.messages import Message

TRIGGER = 0.8
"""Share of the window beyond which messages are left out."""

TARGET = 0.5
"""Share of the window that is used afterwards, at most."""


_Group = Sequence[Message]
"""What belongs to one user message."""


class Fit(msgspec.Struct, frozen=True):
    """What is sent of a branch."""

    messages: tuple[Message, ...]
    """The messages that are sent, oldest first."""
    first: MessageId | None = None
    """The oldest of them apart from pinned turns; none if nothing was left out."""
    left_out: int = 0
    """How many messages were left out."""
    before: int = 0
    """Tokens of what would have been sent without leaving out more than before."""
    after: int = 0
    """Tokens of what is sent."""
    reduced: bool = False
    """Whether more was left out than by the request before."""


def fit(
    branch: Sequence[Message], turns: Mapping[str, Turn], window: int | None, fixed: int
) -> Fit:
    """Choose what to send.

    Args:
        branch: the messages from the root down to where the answer goes, oldest first.
        turns: the turns of the conversation, by id.
        window: tokens that the model can take; none if that is unknown: then all is sent.
        fixed: tokens of instructions and tools, which are sent anyway.
    """
    groups = _turns_of(branch)
    start = _start(groups, _former_start(branch, turns))
    sent = _from(groups, start)
    before = _tokens(sent, fixed)
    if window is None or before <= TRIGGER * window:
        return _chosen(branch, groups, start, before, before, reduced=False)
    scale = before / max(1, fixed + sum(map(message_tokens, sent)))
    cut = start
    after = before
    while cut < len(groups) - 1 and after > TARGET * window:
        cut += 1
        left = sum(map(message_tokens, _from(groups, cut)))
        after = round(scale * (fixed + left))
    return _chosen(branch, groups, cut, before, after, reduced=after < before)


def _chosen(
    branch: Sequence[Message],
    groups: Sequence[_Group],
    start: int,
    before: int,
    after: int,
    *,
    reduced: bool,
) -> Fit:
    sent = _from(groups, start)
    first = groups[start][0].id if start else None
    return Fit(sent, first, len(branch) - len(sent), before, after, reduced)


def _turns_of(branch: Sequence[Message]) -> list[list[Message]]:
    """The branch in groups that begin with what a user said; tool calls stay with their results."""
    groups: list[list[Message]] = []
    for message in branch:
        if message.role == "user" or not groups:
            groups.append([])
        groups[-1].append(message)
    return groups


def _former_start(branch: Sequence[Message], turns: Mapping[str, Turn]) -> MessageId | None:
    """Where the newest request on this branch began, if it left something out."""
    for message in reversed(branch):
        turn = turns.get(message.turn_id)
        if turn is not None and (turn.step or message.role == "assistant"):
            return turn.first_message_id
    return None


def _start(groups: Sequence[_Group], first: MessageId | None) -> int:
    known = (number for number, group in enumerate(groups) if group[0].id == first)
    return next(known, 0)


def _from(groups: Sequence[_Group], start: int) -> tuple[Message, ...]:
    kept = [
        group
        for number, group in enumerate(groups)
        if number >= start or any(message.pinned for message in group)
    ]
    return tuple(message for group in kept for message in group)


def _tokens(sent: Sequence[Message], fixed: int) -> int:
    """What the provider last reported, and an estimate of what is newer."""
    newer = 0
    for message in reversed(sent):
        if message.usage is not None and message.usage.input_tokens:
            return message.usage.input_tokens + message.usage.output_tokens + newer
        newer += message_tokens(message)
    return fixed + newer
