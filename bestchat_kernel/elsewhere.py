"""What a prompt mentions that is neither in this kernel nor on its disk: pages, conversations.

Runs on the main thread, and waits for the loop thread. A replay asks nobody: what was mentioned is
recorded beside the answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from contextlib import suppress
from typing import Any, TypeVar

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.failure import ChatInterrupted
from bestchat_kernel.loop import LoopThread
from bestchat_kernel.redaction import Redaction
from bestchat_kernel.replay import Replay
from bestchat_kernel.session import LISTED, ChatSession
from bestchat_server_ext.api import conversations, pages
from bestchat_server_ext.core.errors import ChatError, NotFound, UnknownProcedure

Value = TypeVar("Value")

BUDGET = 50_000
"""Characters of a conversation that go along: about 12,000 tokens."""
_OFFER_SECONDS = 2.0
"""How long a list to choose from may take."""


class Elsewhere:
    """Fetches what one kernel's prompts mention."""

    def __init__(self, loop: LoopThread, session: ChatSession, replay: Replay) -> None:
        """Ask through a session's door, unless a replay has it already."""
        self._loop = loop
        self._session = session
        self._replay = replay

    def page(self, address: str) -> Attachment:
        """The text of a page.

        Raises:
            ChatError: it cannot be had; says why and what to do.
        """
        return self._had("page", address, lambda: self._page(address))

    def conversation(self, name: str) -> Attachment:
        """What was said in another conversation of one's own, named by its title or id.

        Raises:
            ChatError: there is none, or there are several.
        """
        return self._had("conversation", name, lambda: self._conversation(name))

    def titles(self) -> list[str]:
        """Conversations that could be mentioned, the last changed first; few words in little time.

        One whose title does not say which it is goes by its id. A replay that asks nobody has none.
        """
        with suppress(ChatError, TooLate):
            if self._replay.mode == "only":
                return []
            return self._wait(self._titles(), _OFFER_SECONDS)
        return []

    def _had(self, kind: str, name: str, fetch: Callable[[], Awaitable[str]]) -> Attachment:
        async def safe() -> tuple[str, tuple[str, ...]]:
            redaction = Redaction()
            found = redaction.attachment(Attachment(name, await fetch(), kind=kind))
            return found.summary, tuple(redaction.notes)

        text, notes = self._wait(self._replay.mentioned(f"{kind}:{name}", safe))
        return Attachment(name.replace("`", "'"), text, kind=kind, notes=notes)

    def _wait(self, work: Coroutine[Any, Any, Value], seconds: float | None = None) -> Value:
        waiting: Future[Value] = self._loop.submit(work)
        try:
            return waiting.result(seconds)
        except KeyboardInterrupt:
            raise ChatInterrupted("Stopped. Nothing was asked.") from None
        finally:
            waiting.cancel()  # of no effect where it has ended

    async def _page(self, address: str) -> str:
        client = (await self._session.connection()).client
        try:
            page = await client.call(pages.read, pages.ReadPage(address))
        except UnknownProcedure as error:  # an older server
            raise NotFound(
                "This server fetches no pages.", hint="Upgrade BestChat on the server."
            ) from error
        note = f"\n… [{page.note}]" if page.note else ""
        return f"{page.text}{note}"

    async def _conversation(self, name: str) -> str:
        client = (await self._session.connection()).client
        try:
            found = await self._session.find(name)
            request = conversations.ExportConversation(found.id, "markdown")
            said = (await client.call(conversations.export, request)).content.strip()
        except NotFound as error:
            raise NotFound(
                error.info.text,
                hint="Tab behind @conversation: lists those that you have.",
                field="conversation",
            ) from error
        # What was said last matters most.
        cut = len(said) - BUDGET
        return (
            said if cut <= 0 else f"[{cut:,} characters before this are left out] …\n{said[cut:]}"
        )

    async def _titles(self) -> list[str]:
        client = (await self._session.connection()).client
        request = conversations.ListConversations(limit=LISTED)
        page = await client.call(conversations.list_, request)
        titles = [item.title for item in page.conversations]
        return [
            item.title if _tells(item.title) and titles.count(item.title) == 1 else str(item.id)
            for item in page.conversations
        ]


def _tells(title: str) -> bool:
    """Whether a title can be written into a prompt."""
    return bool(title.strip()) and title.isprintable() and not set(title) & set('"`')
