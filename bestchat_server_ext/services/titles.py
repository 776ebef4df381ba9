"""TitleService: a conversation's title by a model, where somebody has switched that on."""

from __future__ import annotations

import logging
from contextlib import aclosing, suppress

from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.cost import Outcome, spent
from bestchat_server_ext.core.errors import ChatError, Conflict
from bestchat_server_ext.core.events import ConversationRenamed
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.core.messages import Message, TextPart
from bestchat_server_ext.core.models import ModelRef, RequestOptions
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.reply import Reply, ReplyBuilder
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.services.budget import Budget
from bestchat_server_ext.services.providers import ProviderRegistry
from bestchat_server_ext.services.stream import StreamService
from bestchat_server_ext.services.turn_plans import first_title
from bestchat_server_ext.services.usage import UsageService, noting_failures

_log = logging.getLogger(__name__)

_ASKED = "Give this conversation a title of at most six words, in its language, and nothing else:"
_EXCERPT = 2000
_LONGEST = 80
_OPTIONS = RequestOptions(temperature=0.0, max_output_tokens=40)


class TitleService:
    """Names conversations after their first answer."""

    def __init__(
        self,
        stream: StreamService,
        providers: ProviderRegistry,
        usage: UsageService,
        budget: Budget,
        model: str | None,
    ) -> None:
        """Work on these; `model` is who gives titles, none for nobody."""
        self._stream = stream
        self._providers = providers
        self._usage = usage
        self._budget = budget
        self._model = model

    async def name(self, conversation_id: ConversationId) -> None:
        """Give a title, if it is time to; nobody else's title is ever replaced.

        What goes wrong is said in the log: the first line of the first message remains.
        """
        if self._model is None:
            return
        try:
            state = await self._stream.state(conversation_id)
            if len(state.turns) != 1 or not _named_by_its_first_line(state):
                return
            title = _cleaned(await self._ask(state, self._model))
            if title:
                with suppress(Conflict):  # somebody was faster
                    named = ConversationRenamed(title, state.conversation.version)
                    await self._stream.append(conversation_id, [named])
        except ChatError as error:
            _log.warning("BestChat: %s got no title: %s", conversation_id, error.info.code)
        except Exception as error:  # noqa: BLE001  the end of a task is where a bug has to be said
            _log.error("BestChat: %s got no title: %s", conversation_id, origin(error))

    async def _ask(self, state: ConversationState, model: str) -> Reply:
        owner = state.conversation.owner
        ref = await self._providers.resolve(owner, model, probe=False)
        await self._budget.require_step(state.conversation, ref)
        prices = await self._providers.prices(owner, ref)
        request = _request(state, ref)
        heard = ReplyBuilder()

        def note(outcome: Outcome, code: str | None) -> None:
            turn = next(iter(state.turns.values()))
            usage, estimated = spent(request, heard.partial(), outcome)
            self._usage.note(
                owner=owner,
                conversation_id=state.conversation.id,
                turn_id=turn.id,
                step=0,
                attempt=1,
                model=ref,
                outcome=outcome,
                usage=usage,
                prices=prices,
                at=self._stream.clock.now(),
                error_code=code,
                estimated=estimated,
            )

        with noting_failures(note):
            async with aclosing(self._providers.provider(ref).stream(request)) as batches:
                async for chunks in batches:
                    for chunk in chunks:
                        heard.add(chunk)
        note("answered", None)
        return heard.partial()


def _named_by_its_first_line(state: ConversationState) -> bool:
    first = next(iter(state.messages.values()))
    return state.conversation.title == first_title(first.text)


def _request(state: ConversationState, ref: ModelRef) -> ModelRequest:
    said = "\n\n".join(message.text for message in state.messages.values())[:_EXCERPT]
    first = next(iter(state.messages.values()))
    question = Message(
        id=first.id,
        parent_id=None,
        role="user",
        parts=(TextPart(f"{_ASKED}\n\n{said}"),),
        created_at=first.created_at,
        turn_id=first.turn_id,
    )
    owner = state.conversation.owner
    return ModelRequest(model=ref, messages=(question,), options=_OPTIONS, owner=owner)


def _cleaned(reply: Reply) -> str:
    """The first line of what was said, without what models put around a title."""
    text = "".join(part.text for part in reply.parts if part.kind == "text")
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    title = line.removeprefix("Title:").strip(" \t#*_\"'`“”„.")
    return " ".join(title.split())[:_LONGEST]
