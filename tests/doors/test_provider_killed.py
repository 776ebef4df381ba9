"""A provider's process is killed in mid-answer, and its readers end with one whole answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev

PROVIDER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Host(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b'data: {"choices": [{"delta": {"content": "Once upon a time"}}]}\\n\\n')
        self.wfile.flush()
        sys.stdin.read()

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Host)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def provider() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A process that speaks OpenAI's format, begins an answer and never ends it."""
    with subprocess.Popen(
        [sys.executable, "-c", PROVIDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", process
        process.kill()


async def test_the_reader_sees_one_whole_answer(
    provider: tuple[str, subprocess.Popen[str]],
    environ: dict[str, str],
    open_here: Callable[..., Awaitable[Application]],
    begin: Callable[..., Awaitable[Any]],
) -> None:
    url, process = provider
    environ["OPENAI_BASE_URL"] = url
    application = await open_here(fallback_models=("scripted/echo",))
    talk = await begin(InProcessClient(application))
    ticket = await talk.ask("openai/any", "Tell me of a king.")
    await talk.until_text("Once upon a time")
    process.kill()
    seen = await talk.until(ev.TurnFinished, ev.TurnFailed)
    failed = [event for event in seen if isinstance(event, ev.AttemptFailed)]
    assert failed[0].error.code == "provider_unavailable"
    assert not failed[0].kept, "it could not be continued, so that it visibly begins anew"
    assert await talk.answers() == ["Tell me of a king."]
    assert (await talk.turn(ticket.turn_id)).fallback == "scripted/echo"
