"""Pages and other conversations in the prompts of cells."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.notebooks.conftest import Kernel, StartKernel

PAGE = "<title>Rivers</title><p>The <b>Rhine</b> is 1,230 km long.</p><p>password: hunter2-canary</p>"


class Web:
    """A server on this machine with one page."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stuck, self.go_on = threading.Event(), threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                if self.path == "/stuck":
                    web.stuck.set()
                    web.go_on.wait(30)
                self.send_response(404 if self.path == "/none" else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(PAGE.encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    started = Web()
    yield started
    started.stop()


@pytest.fixture
def open_kernel(start_kernel: StartKernel) -> Kernel:
    """A kernel that may fetch pages from this machine."""
    return start_kernel(BESTCHAT_PRIVATE_PAGE_HOSTS="127.0.0.1").load()


def completed(kernel: Kernel, text: str) -> list[str]:
    reply = kernel.client.complete(text, len(text), reply=True, timeout=20)
    matches: list[str] = reply["content"]["matches"]
    return matches


def test_a_page_goes_along(open_kernel: Kernel, web: Web) -> None:
    ran = open_kernel.run(f"%%chat\nHow long is it? @url:{web.url}/rivers.")
    assert ran.ok, ran.reply
    question = open_kernel.said()[0][1]
    assert f"Attached page `{web.url}/rivers`:\n```text\n# Rivers\n\nThe **Rhine** is" in question
    assert "canary" not in question
    assert f"what looks like a secret in `{web.url}/rivers`" in str(ran.messages)
    assert web.asked == ["/rivers"]


def test_without_an_exception_nothing_here_is_fetched(kernel: Kernel, web: Web) -> None:
    error = kernel.run(f"%%chat\nSay what is there: @url:{web.url}/").error
    assert error["traceback"] == [f"not_permitted: {error['evalue']}"]
    assert "on this machine or in a private network" in error["evalue"]
    assert "`private_page_hosts`" in error["evalue"]
    assert web.asked == []
    assert kernel.said() == []


def test_a_page_that_is_not_there_is_said_at_the_cell(open_kernel: Kernel, web: Web) -> None:
    error = open_kernel.run(f"%%chat\n@url:{web.url}/none").error
    assert error["traceback"] == ["page_unreadable: 127.0.0.1 answers 404. Check the address."]
    error = open_kernel.run("%%chat\n@url:example").error
    assert "It begins with https:// or http://" in error["evalue"]
    assert open_kernel.ask(f"%%chat --raw\n@url:{web.url}/none").startswith("heard: @url:")
    assert open_kernel.ask(f"%%chat\n`@url:{web.url}/none`").startswith("heard: `@url:")


def test_stop_while_a_page_is_fetched(open_kernel: Kernel, web: Web) -> None:
    running = open_kernel.begin(f"%%chat\n@url:{web.url}/stuck")
    assert web.stuck.wait(20)
    open_kernel.manager.interrupt_kernel()
    assert running.end(5).error["traceback"] == ["Stopped. Nothing was asked."]
    assert open_kernel.ask("%%chat\ngo on") == "heard: go on"


def test_a_replay_fetches_nothing(start_kernel: StartKernel, web: Web, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    environ = {"BESTCHAT_REPLAY_FILE": str(file), "BESTCHAT_PRIVATE_PAGE_HOSTS": "127.0.0.1"}
    cells = [
        f"%%chat\nHow long is it? @url:{web.url}/rivers",
        "%%chat --new\nAnd in other words? @conversation:Told",
    ]
    recording = start_kernel(BESTCHAT_REPLAY="auto", **environ).load()
    recording.run("import bestchat_kernel.process as p, bestchat_server_ext.api.conversations as c")
    made = "async def make():\n    door = await p.session().connection()\n"
    made += "    await door.client.call(c.create, c.CreateConversation(title='Told'))\n"
    made += "from bestchat_kernel.loop import loop_thread\nloop_thread().run(make())"
    assert recording.run(made).ok
    first = [recording.run(cell) for cell in cells]
    assert all(ran.ok for ran in first), [ran.reply for ran in first]
    recorded = file.read_text()
    assert "1,230 km" in recorded
    assert "canary" not in recorded
    web.stop()
    replaying = start_kernel(
        BESTCHAT_REPLAY="only", BESTCHAT_DATA_DIR=str(tmp_path / "nothing"), **environ
    ).load()
    second = [replaying.run(cell) for cell in cells]
    assert [[it.content["data"] for it in ran.shown][-1] for ran in second] == [
        [it.content["data"] for it in ran.shown][-1] for ran in first
    ]
    assert web.asked == ["/rivers"]
    assert file.read_text() == recorded
    error = replaying.run(f"%%chat\n@url:{web.url}/other").error
    assert "is not recorded, and nobody is asked" in error["evalue"]
    assert not (tmp_path / "nothing").exists()


def test_another_conversation_goes_along(kernel: Kernel) -> None:
    kernel.ask("%%chat\nThe word is Grimsel.")
    (told,) = kernel.rows("SELECT id, title FROM conversations")
    for name in (f'"{told["title"]}"', str(uuid.UUID(told["id"]))):
        assert kernel.run(f"%%chat --new\nWhich word? @conversation:{name}").ok
        question = kernel.said()[-2][1]
        assert f"Attached conversation `{name.strip(chr(34))}`:" in question
        assert "heard: The word is Grimsel." in question
    error = kernel.run("%%chat\n@conversation:nowhere").error
    assert error["evalue"] == (
        "No conversation has the title 'nowhere'. "
        "Tab behind @conversation: lists those that you have."
    )
    error = kernel.run("%%chat\n@conversation:01890000-0000-7000-8000-000000000000").error
    assert error["traceback"][0].startswith("not_found: ")


def test_they_are_completed(kernel: Kernel) -> None:
    assert completed(kernel, "%%chat\nsee @u") == ["url:"]
    assert completed(kernel, "%%chat\nsee @conv") == ["conversation:"]
    kernel.ask("%%chat\nThe word is Grimsel.")
    kernel.ask("%%chat --new\nShort")
    both = ["conversation:Short", 'conversation:"The word is Grimsel."']
    assert completed(kernel, "%%chat\nsee @conversation:") == both
    assert completed(kernel, "%%chat\nsee @conversation:the") == both[1:]
    assert completed(kernel, '%%chat\nsee @conversation:"The wo') == both[1:]


def test_a_title_is_offered_where_it_is_found(kernel: Kernel) -> None:
    """Whoever looks for it would see the older one as well."""
    kernel.run("import bestchat_kernel.process as p, bestchat_server_ext.api.conversations as c")
    made = "async def make():\n    client = (await p.session().connection()).client\n"
    made += "    for title in ['Twice', *map(str, range(110)), 'Twice']:\n"
    made += "        await client.call(c.create, c.CreateConversation(title=title))\n"
    made += "from bestchat_kernel.loop import loop_thread\nloop_thread().run(make())"
    assert kernel.run(made).ok
    offered = completed(kernel, "%%chat\nsee @conversation:")
    assert len(offered) == 112
    assert "conversation:Twice" not in offered
    ids = [row["id"] for row in kernel.rows("SELECT id FROM conversations WHERE title = 'Twice'")]
    assert {f"conversation:{uuid.UUID(it)}" for it in ids} < set(offered)


def test_a_replay_that_asks_nobody_offers_none(start_kernel: StartKernel, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    kernel = start_kernel(BESTCHAT_REPLAY="only", BESTCHAT_DATA_DIR=str(nothing)).load()
    offered = completed(kernel, "%%chat\nsee @conversation:")
    assert not [it for it in offered if it.startswith("conversation:")]
    assert not nothing.exists()


def test_in_the_chat_kernel(start_kernel: StartKernel, web: Web) -> None:
    kernel = start_kernel("bestchat", BESTCHAT_PRIVATE_PAGE_HOSTS="127.0.0.1")
    assert completed(kernel, "see @ur") == ["url:"]
    assert kernel.run(f"How long is it? @url:{web.url}/rivers").ok
    assert "The **Rhine** is" in kernel.said()[0][1]
    error = kernel.run(f"And here? @url:{web.url}/none").error
    assert error["traceback"] == ["page_unreadable: 127.0.0.1 answers 404. Check the address."]
    assert completed(kernel, "see @conversation:") == [
        f'conversation:"{kernel.rows("SELECT title FROM conversations")[0]["title"]}"'
    ]
