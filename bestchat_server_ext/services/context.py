"""ContextManager: the projection, which is what a model gets to see of a conversation.

The transcript itself is never touched. Nothing that changes from request to request (time,
directory, state of a kernel) stands at the beginning of a request, so that consecutive requests
share their first bytes and a provider's cache recognises them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bestchat_server_ext.core import window
from bestchat_server_ext.core.conversation import ConversationState, Turn
from bestchat_server_ext.core.cost import fixed_tokens
from bestchat_server_ext.core.ids import FileId, MessageId
from bestchat_server_ext.core.messages import FilePart, Message, Part, TextPart
from bestchat_server_ext.core.models import ModelFacts, ModelRef
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolSpec
from bestchat_server_ext.core.turn import RequestReduced

GO_ON = "Go on exactly where your last answer broke off. Repeat nothing, and do not apologise."
"""Said in the user's place to a model that cannot continue an answer that was begun for it."""


NOTHING_ATTACHED: Mapping[FileId, Part] = {}


@dataclass(frozen=True)
class Projection:
    """What a model gets to see.

    Attributes:
        request: the request.
        reduced: what was left out of it that the request before had; none if nothing was.
    """

    request: ModelRequest
    reduced: RequestReduced | None = None


class ContextManager:
    """Makes the request for a step out of a conversation."""

    def project(
        self,
        state: ConversationState,
        turn: Turn,
        leaf: MessageId,
        facts: ModelFacts,
        tools: Sequence[ToolSpec],
        contents: Mapping[FileId, Part] = NOTHING_ATTACHED,
    ) -> Projection:
        """The branch that ends in `leaf`, as a request to a model.

        Tools are sorted by name: the order in which they were registered must not matter to a
        provider's cache.

        Args:
            state: the conversation.
            turn: the turn that asks.
            leaf: the message that the answer follows.
            facts: what is known of the model.
            tools: what it may call.
            contents: what it gets in place of attached files.
        """
        ordered = tuple(sorted(tools, key=lambda tool: tool.name))
        system = state.conversation.settings.system_prompt
        fixed = fixed_tokens(system, ordered)
        sent = window.fit(_filled(state.branch(leaf), contents), state.turns, facts.window, fixed)
        request = ModelRequest(
            model=ModelRef.parse(facts.ref),
            messages=_spoken(sent.messages, turn, prefill=bool(facts.prefill)),
            system=system,
            tools=ordered,
            options=turn.options,
            owner=state.conversation.owner,
        )
        return Projection(request, _reduced(sent, turn, facts.window))


def _filled(branch: Sequence[Message], contents: Mapping[FileId, Part]) -> Sequence[Message]:
    """The branch with what stands in files in place of their names."""
    return [
        msgspec.structs.replace(
            message, parts=tuple(_content(part, contents) for part in message.parts)
        )
        if any(isinstance(part, FilePart) for part in message.parts)
        else message
        for message in branch
    ]


def _content(part: Part, contents: Mapping[FileId, Part]) -> Part:
    return contents.get(part.file_id, part) if isinstance(part, FilePart) else part


def _reduced(sent: window.Fit, turn: Turn, most: int | None) -> RequestReduced | None:
    if not sent.reduced or sent.first is None or most is None:
        return None
    return RequestReduced(turn.step, sent.first, sent.left_out, sent.before, sent.after, most)


def _spoken(messages: Sequence[Message], turn: Turn, *, prefill: bool) -> tuple[Message, ...]:
    """The messages as a model hears them: an answer that was gone on with is one answer."""
    joined: list[Message] = []
    for message in messages:
        before = joined[-1] if joined else None
        if before is not None and before.role == message.role == "assistant":
            parts = (*before.parts, *message.parts)
            joined[-1] = msgspec.structs.replace(message, parts=parts)
        else:
            joined.append(message)
    if joined and joined[-1].role == "assistant" and not prefill:
        joined.append(_go_on(joined[-1], turn))
    return tuple(joined)


def _go_on(last: Message, turn: Turn) -> Message:
    return Message(
        id=last.id,
        parent_id=last.id,
        role="user",
        parts=(TextPart(GO_ON),),
        created_at=turn.started_at,
        turn_id=turn.id,
    )
