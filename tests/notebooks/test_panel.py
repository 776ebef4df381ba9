"""`ChatPanel` in real kernels: what Python sees, and what a page says and hears through the comm."""

from __future__ import annotations

import json
import time
import uuid
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.session import Session

if TYPE_CHECKING:
    from tests.notebooks.conftest import Kernel, Ran, StartKernel

MADE = "from bestchat_kernel import ChatPanel\npanel = ChatPanel()"


class Page:
    """A page that shows the panel, as the widget's own module does it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.comm = kernel.run("panel.model_id").value.strip("'")
        self.line = uuid.uuid4().hex
        self.answers: dict[str, dict[str, Any]] = {}
        self.frames: list[dict[str, Any]] = []
        self.closed = False

    def say(self, **content: object) -> None:
        content["key"] = uuid.uuid4().hex
        self.tell({"method": "custom", "content": content})

    def tell(self, data: object) -> None:
        session = self.kernel.client.session
        message = session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        self.kernel.client.shell_channel.send(message)

    def frame(self, **frame: object) -> None:
        self.say(door="frame", line=self.line, text=json.dumps(frame))

    def call(self, name: str, **request: object) -> dict[str, Any]:
        key = uuid.uuid4().hex
        self.say(door="call", id=key, name=name, body=json.dumps(request))
        self.until(lambda: key in self.answers)
        return self.answers[key]

    def until(self, condition: Any, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not condition():
            try:
                message = self.kernel.client.get_iopub_msg(timeout=until - time.monotonic())
            except Empty:
                pytest.fail(f"the kernel went silent after {self.frames}")
            if message["msg_type"] == "comm_msg":
                self.take(message["content"])

    def take(self, content: dict[str, Any]) -> None:
        said = content["data"].get("content", {})
        if content["comm_id"] != self.comm or "door" not in said:
            return
        if said["door"] == "answer":
            body = json.loads(said["body"])
            self.answers[said["id"]] = {"status": said["status"], **body}
        elif said["line"] == self.line:
            self.closed = self.closed or said["door"] == "closed"
            self.frames += [json.loads(text) for text in said.get("frames", [])]

    @property
    def text(self) -> str:
        """What has streamed in."""
        return "".join(it["text"] for it in self.frames if it["type"] == "delta")

    def ended(self) -> bool:
        types = [it["event"]["type"] for it in self.frames if it["type"] == "event"]
        return any(it in {"turn_finished", "turn_cancelled", "turn_failed"} for it in types)


def updates(ran: Ran) -> dict[str, Any]:
    """The traits that a cell has told the pages of."""
    found: dict[str, Any] = {}
    for message in ran.messages:
        if message["msg_type"] == "comm_msg":
            found |= message["content"]["data"].get("state", {})
    return found


# From Python.


def test_what_is_sent_is_answered_and_kept(kernel: Kernel) -> None:
    kernel.run(MADE)
    ran = kernel.run("answer = panel.send('one')\nprint(answer.text)")
    assert ran.stdout == "heard: one\n"
    assert kernel.run("panel.messages").value == (
        "[{'role': 'user', 'text': 'one', 'model': ''},\n"
        " {'role': 'assistant', 'text': 'heard: one', 'model': 'scripted/magics'}]"
    )
    transcript = updates(ran)["transcript"]
    texts = [it["parts"][0]["text"] for it in transcript["messages"].values()]
    assert texts == ["one", "heard: one"]
    assert updates(ran)["conversation"] == transcript["conversation"]["id"]


def test_it_is_the_conversation_of_the_cells(kernel: Kernel) -> None:
    kernel.run(MADE)
    kernel.ask("%%chat\none", "a")
    assert kernel.run("panel.send('count').text").value == "'messages: 3'"
    assert kernel.ask("%%chat\ncount", "b") == "messages: 5"
    assert len(kernel.rows("SELECT id FROM conversations")) == 1
    # It goes along to another one.
    kernel.ask("%%chat --new\ncount", "c")
    assert kernel.run("panel.send('count').text").value == "'messages: 3'"


def test_one_that_is_named_keeps_its_own(start_kernel: StartKernel) -> None:
    first = start_kernel().load()
    first.ask("%%chat\nthe first")
    second = start_kernel()
    second.run("from bestchat_kernel import ChatPanel\npanel = ChatPanel('the first')")
    assert second.run("panel.send('count').text").value == "'messages: 3'"
    second.run("%load_ext bestchat_kernel")
    assert second.ask("%%chat\ncount") == "messages: 1"
    assert second.run("len(panel.messages)").value == "4"
    ran = second.run("ChatPanel('no such one')")
    assert "No conversation has the title 'no such one'" in ran.error["evalue"]


def test_the_model_that_was_chosen_answers(kernel: Kernel) -> None:
    kernel.run("from bestchat_kernel import ChatPanel\npanel = ChatPanel(model='scripted/other')")
    assert kernel.run("panel.send('hi').text").value == "'the other one'"
    kernel.run("panel.model = 'scripted/magics'")
    assert kernel.run("panel.send('hi').text").value == "'heard: hi'"


def test_observers_hear_what_is_new_in_the_thread_of_the_cells(kernel: Kernel) -> None:
    kernel.run(MADE)
    kernel.run(
        "import threading\nheard = []\n"
        "panel.observe(lambda change: heard.append("
        "(change.new[-1]['text'], threading.current_thread() is threading.main_thread())), 'messages')"
    )
    kernel.run("panel.send('one')")
    assert kernel.run("heard[-1]").value == "('heard: one', True)"


def test_a_failure_is_one_line(kernel: Kernel) -> None:
    kernel.run(MADE)
    ran = kernel.run("panel.send('refuse')")
    (line,) = ran.error["traceback"]
    assert "failed on purpose" in line


def test_an_interrupt_keeps_what_had_arrived(kernel: Kernel) -> None:
    kernel.run(MADE)
    kernel.run("panel.send('one')")
    running = kernel.begin("panel.send('hang on')")
    until = time.monotonic() + 20
    while kernel.partial() is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    kernel.manager.interrupt_kernel()
    assert running.end(5).error["evalue"] == "Stopped. What had arrived is kept."
    assert kernel.turn()["state"] == "cancelled"
    kernel.run("pass")
    assert kernel.run("panel.messages[-1]['text']").value == "'This much had arrived'"


def test_a_replay_asks_nobody(start_kernel: StartKernel) -> None:
    kernel = start_kernel(BESTCHAT_REPLAY="only")
    kernel.run(MADE)
    assert "This is not recorded" in kernel.run("panel.send('one')").error["evalue"]


def test_closing_lets_go(kernel: Kernel) -> None:
    kernel.run(MADE)
    kernel.run("panel.send('one')")
    assert kernel.run("panel.close()").ok
    assert kernel.ask("%%chat\ncount") == "messages: 3"


# From a page.


@pytest.fixture
def page(kernel: Kernel) -> Page:
    assert kernel.run(MADE).ok
    return Page(kernel)


def begin(page: Page, text: str) -> str:
    """Ask as a page does; gives the conversation."""
    created = page.call("conversations.create")
    page.frame(type="hello", protocol=1)
    page.frame(type="subscribe", conversation_id=created["id"])
    started = page.call(
        "turns.start", conversation_id=created["id"], request_id=uuid.uuid4().hex, text=text
    )
    assert started["status"] == 200, started
    return str(created["id"])


def waits_for_an_answer(kernel: Kernel) -> str:
    """Let a cell ask, and wait for an answer that does not end; gives the turn."""
    kernel.run("panel.send('one')")
    kernel.begin("panel.send('hang on')")
    until = time.monotonic() + 20
    while kernel.partial() is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return str(uuid.UUID(kernel.turn()["id"]))


def test_a_page_asks_and_sees_the_answer_stream(page: Page) -> None:
    conversation = begin(page, "stream please")
    page.until(page.ended)
    assert page.frames[0]["type"] == "welcome"
    assert "snapshot" in [it["type"] for it in page.frames]
    assert page.text.startswith("one two three")
    assert page.text.endswith("the end.")
    # It was the notebook's own conversation from then on.
    assert page.kernel.ask("%%chat\ncount") == "messages: 3"
    assert page.kernel.run("panel.conversation").value == f"'{conversation}'"
    assert page.kernel.run("len(panel.messages)").value == "4"
    (row,) = page.kernel.rows("SELECT label FROM conversations")
    assert row == {"label": "work/analysis.ipynb"}


def test_a_page_joins_the_conversation_that_a_cell_began(page: Page) -> None:
    page.kernel.ask("%%chat\none")
    created = page.call("conversations.create")
    assert len(page.kernel.rows("SELECT id FROM conversations")) == 1
    assert page.kernel.run("panel.conversation").value == f"'{created['id']}'"


def test_a_page_is_heard_while_a_cell_asks(page: Page) -> None:
    page.call("turns.cancel", turn_id=waits_for_an_answer(page.kernel))
    page.kernel.until_turns("cancelled", 1)


def test_who_does_not_have_the_key_of_the_kernel_is_not_heard(page: Page) -> None:
    turn = {"turn_id": waits_for_an_answer(page.kernel)}
    call = {"door": "call", "key": "a stranger's", "id": "theirs", "name": "turns.cancel"}
    data = {"method": "custom", "content": {**call, "body": json.dumps(turn)}}
    content = {"comm_id": page.comm, "data": data}
    socket = page.kernel.client.shell_channel.socket  # the same, so that it comes before ours
    Session(key=b"another").send(socket, "comm_msg", content)
    page.call("turns.cancel", **turn)
    page.kernel.until_turns("cancelled", 1)
    assert len(page.answers) == 1


def test_what_no_page_says_ends_no_cell(page: Page) -> None:
    turn = waits_for_an_answer(page.kernel)
    for data in ({"method": "custom"}, {"method": "custom", "content": 5}, 5):
        page.tell(data)
    page.say(door="knocked at")
    page.call("turns.cancel", turn_id=turn)
    reply = page.kernel.client.get_shell_msg(timeout=20)
    assert reply["content"]["evalue"] == "The turn was stopped. What had arrived is kept."


def test_a_page_can_ask_only_for_what_the_widget_needs(page: Page) -> None:
    for name in (
        "conversations.list",
        "conversations.search",
        "conversations.export",
        "conversations.configure",
        "conversations.delete",
        "approvals.answer",
        "providers.configure",
        "tokens.create",
        "system.whoami",
        "events.subscribe",
        "no.such",
    ):
        answer = page.call(name)
        assert (answer["status"], answer["error"]["code"]) == (400, "unknown_procedure")
    answer = page.call("turns.start", text="hi")
    assert (answer["status"], answer["error"]["code"]) == (400, "invalid_request")


def test_a_page_can_ask_about_no_other_conversation(start_kernel: StartKernel) -> None:
    first = start_kernel().load()
    first.ask("%%chat\nthe first")
    there = str(uuid.UUID(first.turn()["conversation_id"]))
    turn, message = (str(uuid.UUID(first.turn()[name])) for name in ("id", "message_id"))
    second = start_kernel()
    assert second.run(MADE).ok
    page = Page(second)
    # Under the id of another conversation one begins one's own.
    own = page.call("conversations.create", conversation_id=there, settings={"max_cost": "9"})
    assert own["id"] != there
    assert own["settings"] == {}
    ask = {"conversation_id": there, "request_id": "r1"}
    refused = [
        page.call("turns.start", **ask, text="hi"),
        page.call("turns.continue", **ask, turn_id=turn),
        page.call("turns.cancel", turn_id=turn),
        page.call("turns.unqueue", conversation_id=there, turn_id=turn),
        page.call("turns.send_queued", conversation_id=there),
        page.call("messages.edit", **ask, message_id=message, text="hi"),
        page.call("messages.regenerate", **ask, message_id=message),
        page.call("messages.pin", conversation_id=there, message_id=message),
    ]
    assert [(it["status"], it["error"]["code"]) for it in refused] == [(400, "not_found")] * 8
    page.frame(type="hello", protocol=1)
    page.frame(type="subscribe", conversation_id=there)
    page.until(lambda: len(page.frames) == 2)
    assert [it["type"] for it in page.frames] == ["welcome", "error"]
    assert page.frames[1]["error"]["code"] == "not_found"
    assert len(first.rows("SELECT id FROM messages")) == 2
    # Python may choose it.
    second.run("panel.close()\npanel = ChatPanel('the first')")
    page = Page(second)
    assert page.call("turns.cancel", turn_id=turn)["status"] == 200


def test_a_page_sends_no_files(page: Page) -> None:
    own = page.call("conversations.create")
    files = [str(uuid.uuid4())]
    request = {"conversation_id": own["id"], "request_id": "r1", "text": "hi", "files": files}
    answer = page.call("turns.start", **request)
    assert (answer["status"], answer["error"]["field"]) == (400, "files")


def test_a_page_begins_anew_where_the_conversation_was_deleted(page: Page) -> None:
    page.kernel.run("panel.send('one')")
    delete = (
        "from bestchat_kernel import process\n"
        "from bestchat_kernel.loop import loop_thread\n"
        "from bestchat_server_ext.api import conversations\n"
        "client = loop_thread().run(process.session().connection()).client\n"
        "request = conversations.DeleteConversation(panel.conversation)\n"
        "loop_thread().run(client.call(conversations.delete, request))"
    )
    assert page.kernel.run(delete).ok
    before = page.kernel.run("panel.conversation").value
    created = page.call("conversations.create")
    assert created["status"] == 200
    assert page.kernel.run("panel.conversation").value == f"'{created['id']}'" != before


def test_a_line_that_is_not_known_is_closed(page: Page) -> None:
    page.frame(type="ping")
    page.until(lambda: page.closed)


def test_what_is_heard_twice_is_done_once(page: Page) -> None:
    created = page.call("conversations.create")
    message = page.kernel.client.session.msg
    content = {
        "door": "call",
        "key": "same",
        "id": "x",
        "name": "turns.start",
        "body": json.dumps(
            {"conversation_id": created["id"], "request_id": "r1", "text": "just once"}
        ),
    }
    for _ in range(2):
        data = {"method": "custom", "content": content}
        sent = message("comm_msg", {"comm_id": page.comm, "data": data})
        page.kernel.client.shell_channel.send(sent)
    page.until(lambda: "x" in page.answers)
    page.kernel.until_turns("finished", 1)
    assert [text for role, text in page.kernel.said() if role == "user"] == ["just once"]
