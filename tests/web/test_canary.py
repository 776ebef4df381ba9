"""A key that is entered comes out nowhere, whatever a provider makes of it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bestchat_server_ext.testing.http_host import Call, Host

CORE = secrets.token_hex(20)
KEY = f"sk-{CORE}-wxyz"
MASTER = base64.b64encode(secrets.token_bytes(32)).decode()

PRELUDE = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
traces = TracerProvider()
traces.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stderr)))
trace.set_tracer_provider(traces)
"""
"""Logs everything, and prints every trace into the same stream."""

DOCTOR = "import sys; from bestchat_server_ext.command import main; sys.exit(main(sys.argv[1:]))"

SPELLINGS = (
    CORE,
    base64.b64encode(KEY.encode()).decode().rstrip("="),
    KEY.encode().hex(),
    MASTER.rstrip("="),
)
"""The ways in which the key, or what it is encrypted under, could stand somewhere."""


def told(text: str | bytes) -> list[str]:
    """The secrets that stand in a text, in whatever case of letters."""
    data = (text.encode(errors="replace") if isinstance(text, str) else text).lower()
    return [spelling for spelling in SPELLINGS if spelling.lower().encode() in data]


def in_files(folder: Path) -> list[Path]:
    """The files in which a secret stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "bestchat.sqlite3" for path in files)
    return [path for path in files if told(path.read_bytes())]


# What a provider can do with a key that it was sent.


def error_of(call: Call) -> bytes:
    message = f"Incorrect key {KEY} in {call.headers.get('authorization')} from {KEY.upper()}"
    return json.dumps({"error": {"message": message, "code": KEY, "type": KEY}}).encode()


async def refuse(call: Call) -> None:
    await call.answer(401, error_of(call), X_Key=KEY, WWW_Authenticate=f"Bearer {KEY}")


async def refuse_at_length(call: Call) -> None:
    """A text that has to be cut, somewhere in the middle of the key."""
    message = " ".join([KEY] * 200)
    await call.answer(400, json.dumps({"error": {"message": message}}).encode())


async def refuse_in_html(call: Call) -> None:
    await call.answer(403, f"<html><title>{KEY}</title>{KEY}</html>".encode())


async def redirect(call: Call) -> None:
    await call.answer(307, b"", Location=f"http://{KEY}.invalid/{KEY}?key={KEY}")


async def break_off(call: Call) -> None:
    chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": "Well,"}}]}).encode()
    await call.stream(b"data: " + chunk + b"\n\n", b"data: " + error_of(call) + b"\n\n")


async def answer_nonsense(call: Call) -> None:
    await call.stream(f"data: {{{KEY}\n\n".encode())


async def answer_a_document(call: Call) -> None:
    await call.answer(200, error_of(call), Content_Type="application/json")


async def talk_no_http(call: Call) -> None:
    await call.raw(f"HTTP/1.1 {KEY}\r\n{KEY}\r\n\r\n".encode())
    call.cut()


async def answer(call: Call) -> None:
    chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": "Yes."}}]}).encode()
    await call.stream(b"data: " + chunk + b"\n\n", b"data: [DONE]\n\n")


BEHAVIOURS = (
    refuse,
    refuse_at_length,
    refuse_in_html,
    redirect,
    break_off,
    answer_nonsense,
    answer_a_document,
    talk_no_http,
    answer,
)


async def list_models(call: Call) -> None:
    """Names of models that are none; in any case of letters, and in the middle."""
    names = (KEY, f"model-{KEY}", KEY.upper(), "an-honest-model")
    models = [{"id": name, "owned_by": KEY, "object": KEY} for name in names]
    await call.answer(200, json.dumps({"data": models}).encode())


class Witness:
    """Somebody who remembers all that a server says."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.heard: list[str] = []

    async def call(self, name: str, **body: Any) -> Any:
        answered = await self.site.call(name, body)
        self.heard.append(f"{name}: {answered.text} {dict(answered.headers)}")
        return answered

    async def get(self, path: str) -> None:
        answered = await self.site.ask("GET", path)
        assert answered.status == 200
        self.heard.append(f"{path}: {answered.text}")

    async def ask(self, line: Any, model: str) -> str:
        """A turn, from its beginning to its end; gives how it ended."""
        begun = await self.call("conversations.create")
        conversation = begun.json["id"]
        body = {"conversation_id": conversation, "request_id": conversation, "text": "Well?"}
        assert (await self.call("turns.start", **body, model=model)).status == 200
        await line.say(type="subscribe", conversation_id=conversation, after=0)
        while True:
            frame = await line.hear()
            self.heard.append(str(frame))
            if (kind := frame.get("event", {}).get("type")) in {"turn_finished", "turn_failed"}:
                break
        for name in ("conversations.get", "events.replay"):
            more = {"after": 0} if name == "events.replay" else {}
            await self.call(name, conversation_id=conversation, **more)
        return str(kind)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    made = Host()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(scope="module")
def loud(start_jupyter: Any) -> Any:
    """A server that logs all there is to log."""
    given = {"BESTCHAT_MASTER_KEYS": f"canary:{MASTER}"}
    return start_jupyter("/", "--Application.log_level=DEBUG", prelude=PRELUDE, **given)


async def doctor(jupyter: Any, token: str, *more: str) -> str:
    """What the doctor says in the surroundings of that server."""
    folder = jupyter.folder
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "BESTCHAT_DATA_DIR": str(jupyter.data_dir),
        "BESTCHAT_MASTER_KEYS": f"canary:{MASTER}",
        "BESTCHAT_URL": jupyter.url,
        "BESTCHAT_TOKEN": token,
        "OPENAI_API_KEY": KEY,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DOCTOR, *more),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert b"BESTCHAT_MASTER_KEYS" in said
    return said.decode()


async def test_a_key_comes_out_nowhere(
    loud: Any,
    session: aiohttp.ClientSession,
    site_of: Callable[..., Any],
    host: Host,
    mice: Any,
) -> None:
    site = site_of(loud, session)
    witness = Witness(site)
    url = f"{host.url}/v1"
    made = await witness.call("providers.configure", provider="openai", key=KEY, base_url=url)
    assert (made.status, made.json["last_four"]) == (200, "wxyz")

    # Requests that are refused do not say the key back either.
    for wrong in (
        {"provider": KEY},
        {"key": [KEY]},
        {"key": f"{KEY} {KEY}"},
        {"key": KEY * 1000},
        {"key": KEY, "version": 9},
        {"key": KEY, "base_url": f"https://ada:{KEY}@far.example"},
        {"key": KEY, "base_url": f"{KEY}://far.example"},
    ):
        refused = await site.call("providers.configure", {"provider": "openai"} | wrong)
        assert refused.status in {400, 409, 413}, refused.text
        if wrong != {"provider": KEY}:  # a name is said back, as it should be
            witness.heard.append(refused.text)
    broken = await site.ask("POST", "bestchat/api/providers.configure", f'{{"key": "{KEY}",')
    witness.heard.append(broken.text)

    # Whatever the provider makes of it.
    line = await site.connect()
    await line.greet()
    ends = []
    for behave in BEHAVIOURS:

        async def behaving(call: Call, behave: Callable[..., Any] = behave) -> None:
            await (list_models if call.path.endswith("/models") else behave)(call)

        host.behave = behaving
        await witness.call("providers.test", provider="openai", model="openai/canary")
        ends.append(await witness.ask(line, "openai/canary"))
        listed = await witness.call("models.list", provider="openai")
        assert "an-honest-model" in listed.text
    assert ends == ["turn_failed"] * (len(BEHAVIOURS) - 1) + ["turn_finished"]
    assert all(call.headers["authorization"] == f"Bearer {KEY}" for call in host.calls)
    assert len(host.calls) > 2 * len(BEHAVIOURS)

    # All that can be read.
    for name in ("providers.list", "system.health", "system.options", "usage.summary"):
        assert (await witness.call(name)).status == 200
    for path in ("bestchat/api/openapi.json", "bestchat/api/health", "metrics"):
        await witness.get(path)
    kernel = await witness.site.ask("POST", "api/kernels", {"name": settled(mice, loud)})
    environ = await mice.environ(kernel.json["id"])
    assert "BESTCHAT_TOKEN" in environ
    witness.heard.append(str(environ))
    for more in ((), ("--json",)):
        witness.heard.append(await doctor(loud, loud.token, "doctor", *more))
    witness.heard.append(await doctor(loud, loud.token, "keys", "status"))
    assert [text for text in witness.heard if told(text)] == []
    assert await asyncio.to_thread(in_files, loud.folder) == []

    # It can be changed and forgotten, and what was forgotten is gone.
    assert (await witness.call("providers.forget", provider="openai")).status == 200
    verdict = await witness.call("providers.test", provider="openai", model="openai/canary")
    assert verdict.json["code"] == "missing_key"

    log = list(loud.log)
    assert any('"name": "chat openai/canary"' in text or "gen_ai" in text for text in log)
    assert [text for text in log if told(text)] == []
    assert loud.alarms == []


def settled(mice: Any, jupyter: Any) -> str:
    """The name of a kernel that costs little, known to a server."""
    mice.settle(jupyter)
    return "mouse"


def test_a_secret_would_be_found() -> None:
    """The test above is worth no more than this."""
    for text in (f"x{KEY}x", KEY.upper(), f"{KEY}".encode(), SPELLINGS[1], MASTER):
        assert told(text)
    assert told("nothing of the kind") == []
