"""`ChatPanel`: a whole chat in the output of a cell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import ExecutionResult
from traitlets import Dict, Int, List, Unicode

from bestchat_kernel import process
from bestchat_kernel.asking import ask
from bestchat_kernel.comm_door import CommDoor, require_live
from bestchat_kernel.failure import ChatFailed
from bestchat_kernel.listening import listening
from bestchat_kernel.loop import loop_thread
from bestchat_kernel.markdown import safe_markdown
from bestchat_kernel.result import ChatResult
from bestchat_kernel.screens import CellScreen, QuietScreen
from bestchat_kernel.session import Asks, ChatSession, Question
from bestchat_kernel.transcript import Transcript, said, stored
from bestchat_kernel.visible import visible
from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.errors import ChatError, NotInstalled
from bestchat_server_ext.core.ids import ConversationId, TurnId

_log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"


def _built(name: str) -> str:
    """What was built from `labextension/src/widget`."""
    try:
        return (_STATIC / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ChatFailed(
            NotInstalled("The browser's side of ChatPanel was not built.", hint="Run: make panel")
        ) from error


class ChatPanel(anywidget.AnyWidget):
    """A chat in the output of a cell, which shows a conversation and goes on with it.

    Without a name it is the notebook's own conversation, the one of `%%chat`. Everything it does
    goes through the kernel: it needs no server of the page's own.

    Attributes:
        conversation: id of the conversation that is shown; empty until there is one.
        model: model reference of who answers; empty for the default.
        messages: what was said, as dictionaries with `role`, `text` and `model`. To be told of
            what is new: `panel.observe(function, "messages")`.
        transcript: the same for the page, so that a notebook that keeps it shows it without a
            kernel.
        height: pixels.
    """

    _esm = _built("widget.js")
    _css = _built("widget.css")

    conversation = Unicode().tag(sync=True)
    model = Unicode().tag(sync=True)
    transcript = Dict(default_value=None, allow_none=True).tag(sync=True)
    height = Int(480).tag(sync=True)
    messages: List[Any] = List()

    def __init__(
        self, conversation: str | None = None, *, model: str | None = None, height: int = 480
    ) -> None:
        """Show a conversation.

        Args:
            conversation: its id, or its title if only one has it; the notebook's own if none.
            model: model reference of who answers; the notebook's model if none.
            height: pixels that it is high.

        Raises:
            ChatFailed: there is no such conversation.
        """
        super().__init__(model=model or "", height=height)
        self._shell = get_ipython()
        self._kernel = getattr(self._shell, "kernel", None)
        self._own = conversation is not None and conversation != _replayed_id()
        self._session = process.session().apart() if self._own else process.session()
        self._transcript: Transcript | None = None
        self._state: ConversationState | None = None
        self._last_turn: TurnId | None = None
        self._door = CommDoor(self._session, self.send_to_pages, self._soon_bind)
        self.on_msg(lambda _, content, __: self._hear(content))
        listening.begin(self.comm, self._hear_data)
        if self._own and conversation is not None:
            self._session.go_on_with(_found(self._session, conversation))
        self._follow_notebook()
        if self._shell is not None:
            self._shell.events.register("post_run_cell", self._after_cell)

    # What others do with it.

    def send(self, text: str, *, model: str | None = None) -> ChatResult:
        """Say something in the conversation, and wait for the answer, or replay it.

        Raises:
            ChatFailed: there is none.
            ChatInterrupted: somebody pressed Stop.
        """
        question = Question(text, object(), model=model or self.model or None)
        screen = QuietScreen(CellScreen(self._shell))
        try:
            result = ask(loop_thread(), self._asks(), question, screen, _Ears(self._kernel))
        except ChatError as error:
            self._follow_notebook()
            raise ChatFailed(error) from None
        self._follow_notebook()
        return result

    def _asks(self) -> Asks:
        """Who answers: in the notebook's own conversation whoever answers its cells.

        Raises:
            NotRecorded: what is said elsewhere is in no recording, and nobody is to be asked.
        """
        if not self._own:
            return process.replay()
        require_live()
        return self._session

    def close(self) -> None:
        """Take it away; the conversation stays."""
        if self._shell is not None:
            self._shell.events.unregister("post_run_cell", self._after_cell)
        listening.end(self.model_id)
        loop_thread().run(self._let_go())
        super().close()

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401  as IPython calls it
        """How a notebook shows it, and what stands there where there are no widgets."""
        found = super()._repr_mimebundle_(**options)
        if found is not None:
            spoken = "\n\n".join(f"**{it['role']}**\n\n{it['text']}" for it in self.messages)
            found[0]["text/plain"] = "ChatPanel"
            found[0]["text/markdown"] = safe_markdown(visible(spoken)) or "*ChatPanel*"
        return found

    # What pages do with it.

    def send_to_pages(self, content: dict[str, Any]) -> None:
        """Say something to all pages that show it; in any thread."""
        super().send(content)

    def _hear_data(self, data: Mapping[str, Any]) -> None:
        if data.get("method") == "custom":
            self._hear(data.get("content"))

    def _hear(self, content: object) -> None:
        if isinstance(content, Mapping) and "door" in content:
            loop_thread().submit(self._door.take(content)).add_done_callback(_log_failure)

    # What is said.

    def _after_cell(self, ran: ExecutionResult) -> None:
        """Catch up with a cell. Who has interrupted one waits for nothing more."""
        if not isinstance(ran.error_in_exec, KeyboardInterrupt):
            self._follow_notebook()

    def _follow_notebook(self) -> None:
        """Show the conversation that the session is in now, and what a cell has just said in it.

        Where answers are recorded, or replayed, it is what the recording knows of it.
        """
        state = None if self._own else process.replay().conversation
        if state is not None:
            self._door.show(state.conversation.id)
            self.transcript = stored(state)
            self.conversation = state.conversation.id
            self._show(state)
            return
        current = self._session.conversation_id
        if current is not None and current != self.conversation:
            self._bind(current)
        turn = self._session.last_turn
        if turn is not None and turn != self._last_turn and self._transcript is not None:
            self._last_turn = turn
            self._show(loop_thread().run(self._transcript.caught_up(turn)))

    def _soon_bind(self, conversation_id: ConversationId) -> None:
        self._on_main(partial(self._bind, conversation_id))

    def _bind(self, conversation_id: ConversationId) -> None:
        self._door.show(conversation_id)
        state = loop_thread().run(self._keep_up_with(conversation_id))
        self.conversation = conversation_id
        self._show(state)

    async def _keep_up_with(self, conversation_id: ConversationId) -> ConversationState | None:
        if self._transcript is not None:
            self._transcript.close()
        self._transcript = Transcript(self._session, conversation_id, self._soon_show)
        return await self._transcript.caught_up()

    def _soon_show(self, state: ConversationState) -> None:
        self._on_main(partial(self._show, state))

    def _show(self, state: ConversationState | None) -> None:
        before = self._state
        if state is None or (before is not None and _newer(before, state)):
            return
        self._state = state
        self.messages = said(state)
        if state.active_turn is None:
            self.transcript = stored(state)

    def _on_main(self, work: Callable[[], None]) -> None:
        """Do something in the thread of the user's code, as soon as it has time."""
        if self._kernel is not None:
            self._kernel.io_loop.add_callback(work)
        else:
            work()

    async def _let_go(self) -> None:
        self._door.close()
        if self._transcript is not None:
            self._transcript.close()


class _Ears:
    """Hears what pages say while a cell waits for an answer."""

    def __init__(self, kernel: Any) -> None:  # noqa: ANN401  ipykernel ships no types
        self._kernel = kernel

    def tick(self, _: Callable[[], None]) -> None:
        listening.look(self._kernel)

    def close(self) -> None:
        """Nothing was shown."""


def _replayed_id() -> ConversationId | None:
    """The conversation that is being recorded or replayed."""
    state = process.replay().conversation
    return None if state is None else state.conversation.id


def _log_failure(future: Future[None]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.warning("A page of ChatPanel was not understood: %s", type(error).__name__)


def _found(session: ChatSession, name: str) -> ConversationId:
    try:
        return loop_thread().run(session.find(name)).id
    except ChatError as error:
        raise ChatFailed(error) from None


def _newer(one: ConversationState, other: ConversationState) -> bool:
    """Whether one state of a conversation comes after another."""
    same = one.conversation.id == other.conversation.id
    return same and one.conversation.seq > other.conversation.seq
