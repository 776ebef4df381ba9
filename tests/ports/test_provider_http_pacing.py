from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import msgspec
import pytest
import trustme

from bestchat_server_ext.adapters.provider_http import Connections, HttpProvider
from bestchat_server_ext.adapters.provider_http.pacing import (
    LONGEST,
    SHORTEST,
    Pacer,
    next_interval,
)
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import FinishChunk, ModelRef, TextChunk, Usage, UsageChunk
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.testing.endpoint import FixedEndpoint
from bestchat_server_ext.testing.http_host import Call, Host
from bestchat_server_ext.testing.port_suites.provider import user_message

LONG = 30.0
"""Seconds that nothing here may take."""

FACTS = ProviderFacts("openai", "OpenAI", "openai")
ASKING = ModelRequest(ModelRef("openai", "large"), (user_message("Hi"),))


def piece(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


class Scene:
    """A host, a provider, and a pacer that holds for longer than a test may take."""

    def __init__(self, host: Host, connections: Connections) -> None:
        self.host = host
        self.connections = connections
        self.provider = HttpProvider(
            FACTS, FixedEndpoint(f"{host.url}/v1"), connections=connections
        )
        self.pacer = Pacer()
        self.held = asyncio.Event()
        self.written = asyncio.Event()

    async def open(self) -> None:
        local = await self.connections.local()
        hold = self.pacer.hold

        def told(transport: asyncio.BaseTransport) -> None:
            hold(transport)
            self.held.set()

        self.pacer.interval = LONG
        self.pacer.hold = told  # type: ignore[method-assign]
        self.connections._locals[asyncio.get_running_loop()] = msgspec.structs.replace(
            local, pacer=self.pacer
        )

    async def let_go(self) -> None:
        """As if the moment were over."""
        assert self.pacer._timer is not None
        self.pacer._timer.cancel()
        self.pacer._held = type(self.pacer._held)((0.0, item) for _, item in self.pacer._held)
        self.pacer.release()


@pytest.fixture(params=["tcp", "tls"])
async def scene(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    host, context = Host(), None
    if request.param == "tls":
        authority = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        with authority.cert_pem.tempfile() as path:
            monkeypatch.setenv("SSL_CERT_FILE", path)
            await host.start(context)
            scene = Scene(host, Connections())
            await scene.open()
    else:
        await host.start()
        scene = Scene(host, Connections())
        await scene.open()
    yield scene
    await scene.provider.close()
    await host.stop()


async def test_the_first_piece_comes_at_once_and_the_next_ones_together(scene: Scene) -> None:
    async def behave(call: Call) -> None:
        await call.begin(piece("a"))
        await scene.held.wait()
        for text in "bcd":
            await call.chunk(piece(text))
        scene.written.set()
        await asyncio.Event().wait()

    scene.host.behave = behave
    stream = scene.provider.stream(ASKING)
    async with asyncio.timeout(LONG / 2):
        assert list(await anext(stream)) == [TextChunk("a")]
        following = asyncio.ensure_future(anext(stream))
        await scene.written.wait()
        done, _ = await asyncio.wait([following], timeout=0.1)
        assert not done, "it was not held"
        (held,) = (transport for _, transport in scene.pacer._held)
        assert not hasattr(held, "_ssl_protocol"), "TLS is held, and the socket wakes us anyway"
        await scene.let_go()
        assert list(await following) == [TextChunk("b"), TextChunk("c"), TextChunk("d")]
        await stream.aclose()


async def test_nothing_waits_once_the_model_has_stopped(scene: Scene) -> None:
    read = asyncio.Event()

    async def behave(call: Call) -> None:
        await call.begin(piece("a") + STOP)
        await read.wait()
        await call.chunk(USAGE + DONE)
        await call.raw(b"0\r\n\r\n")

    scene.host.behave = behave
    stream = scene.provider.stream(ASKING)
    async with asyncio.timeout(LONG / 2):
        assert list(await anext(stream)) == [TextChunk("a"), FinishChunk("stop")]
        following = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        read.set()
        assert list(await following) == [UsageChunk(Usage(3, 2))]
        assert [some async for some in stream] == []
    assert not scene.held.is_set()


@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_stopping_does_not_wait(scene: Scene, how: str) -> None:
    async def behave(call: Call) -> None:
        await call.begin(piece("a"))
        await asyncio.Event().wait()

    scene.host.behave, scene.host.watching = behave, True
    stream = scene.provider.stream(ASKING)
    async with asyncio.timeout(LONG / 2):
        await anext(stream)
        following = asyncio.ensure_future(anext(stream))
        await scene.held.wait()
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        if how == "aclose":
            await stream.aclose()
        await scene.host.calls[0].gone.wait()
        await scene.let_go()  # of a connection that is gone


async def test_a_connection_that_was_held_serves_the_next_request(scene: Scene) -> None:
    async def behave(call: Call) -> None:
        await call.begin(piece("a"))
        await scene.held.wait()
        await call.chunk(STOP + DONE)
        await call.raw(b"0\r\n\r\n")

    scene.host.behave = behave
    async with asyncio.timeout(LONG / 2):
        for _ in range(2):
            scene.held.clear()
            stream = scene.provider.stream(ASKING)
            await anext(stream)
            following = asyncio.ensure_future(anext(stream))
            await scene.held.wait()
            await scene.let_go()
            assert list(await following) == [FinishChunk("stop")]
            assert [some async for some in stream] == []
    assert scene.host.connections == 1


class Line(asyncio.ReadTransport):
    """A connection that can only be held back."""

    paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def test_many_that_are_due_leave_room_for_others_in_between() -> None:
    pacer = Pacer()
    pacer.interval = 0.0
    lines = [Line() for _ in range(100)]
    for line in lines:
        pacer.hold(line)
    waiting = [len(lines)]
    while waiting[-1]:
        await asyncio.sleep(0)  # the others
        waiting.append(sum(line.paused for line in lines))
    released = [before - after for before, after in pairwise(waiting)]
    assert max(released) < len(lines) / 4


def test_the_moment_grows_with_the_load_and_shrinks_without() -> None:
    assert next_interval(SHORTEST, 0.05) == SHORTEST
    assert SHORTEST < next_interval(SHORTEST, 0.5) < LONGEST
    assert next_interval(LONGEST, 0.9) == LONGEST
    assert next_interval(LONGEST, 0.15) == LONGEST
    assert next_interval(LONGEST, 0.05) < LONGEST


@pytest.mark.parametrize(("busy", "late", "grows"), [(0.9, 0, 1), (0, 0.03, 1), (0, 0, 0)])
async def test_the_load_is_that_of_the_loop(busy: float, late: float, grows: int) -> None:
    pacer, now = Pacer(), asyncio.get_running_loop().time()
    pacer._since, pacer._spent = now - 1, time.thread_time() - busy
    pacer._late = [late]
    pacer.release()
    assert (pacer.interval > SHORTEST) == bool(grows)
