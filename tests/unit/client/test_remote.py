"""The way to a server: what the environment says about it, and what may not lead off it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bestchat_server_ext.api import system
from bestchat_server_ext.client import address
from bestchat_server_ext.client.remote import RemoteClient, _find_proxy
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.ids import ConversationId

TOKEN = "bc_" + "A" * 43

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Answer to everything with one function; gives the address."""
    async with AsyncExitStack() as stack:

        async def start(answer: Answer) -> str:
            runner = web.ServerRunner(web.Server(answer))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}/"

        yield start


@pytest.fixture
def not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this machine for another."""
    monkeypatch.setattr(address, "_is_here", lambda _: False)
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("not_here")
async def test_netrc_is_left_alone(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login joe password canary\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    sent: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        sent.append(request.headers["Authorization"])
        return web.json_response({"alive": True, "protocol": 1})

    client = RemoteClient(await serve(answer), TOKEN)
    assert (await client.call(system.health, system.GetHealth())).alive
    await client.close()
    assert sent == [f"token {TOKEN}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nobody_is_followed_elsewhere(serve: Serve, status: int) -> None:
    reached: list[str] = []

    async def elsewhere(request: web.BaseRequest) -> web.Response:
        reached.append(request.path)
        return web.json_response({"alive": True, "protocol": 1})

    target = await serve(elsewhere)

    async def send_on(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{target}?token=canary"})

    client = RemoteClient(await serve(send_on), TOKEN)
    with pytest.raises(Unavailable, match=f"another address, with HTTP {status}") as called:
        await client.call(system.health, system.GetHealth())
    with pytest.raises(Unavailable, match=f"another address, with HTTP {status}") as followed:
        await anext(client.follow(ConversationId("c")))
    await client.close()
    assert reached == []
    for caught in (called, followed):
        assert "BESTCHAT_URL" in caught.value.info.hint
        assert "canary" not in str(caught.value)


async def test_what_cannot_be_asked_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that finds fault with the request itself says so with a bare ValueError."""

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(aiohttp.ClientSession, "_request", refuse)
    client = RemoteClient("http://127.0.0.1:1/", TOKEN)
    with pytest.raises(Unavailable, match="cannot be reached: no such thing"):
        await client.call(system.health, system.GetHealth())
    with pytest.raises(Unavailable, match="cannot be reached: no such thing"):
        await anext(client.follow(ConversationId("c")))
    await client.close()


@pytest.mark.usefixtures("not_here")
class TestTheProxy:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_it_alone_is_told_its_password(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, scheme: str
    ) -> None:
        """On the way to HTTPS it is asked for a tunnel; here it refuses, and is not quoted."""
        asked: list[tuple[str, str | None]] = []

        async def refuse(request: web.BaseRequest) -> web.Response:
            asked.append((request.method, request.headers.get("Proxy-Authorization")))
            return web.Response(status=407)

        url = (await serve(refuse)).replace("//", "//joe:can%40ary@")
        monkeypatch.setenv(f"{scheme}_proxy", url)
        client = RemoteClient(f"{scheme}://there.invalid/", TOKEN)
        with pytest.raises(Unavailable) as caught:
            await client.call(system.health, system.GetHealth())
        await client.close()
        method = "CONNECT" if scheme == "https" else "POST"
        assert asked == [(method, "Basic am9lOmNhbkBhcnk=")]
        for secret in ("can%40ary", "can@ary", "am9lOmNhbkBhcnk", TOKEN):
            assert secret not in f"{caught.value}{caught.value.info}{caught.value.__cause__}"

    @pytest.mark.parametrize("given", ["proxy.invalid:3128", "http://proxy.invalid:3128"])
    def test_it_may_be_given_without_a_scheme(
        self, monkeypatch: pytest.MonkeyPatch, given: str
    ) -> None:
        monkeypatch.setenv("http_proxy", given)
        assert _find_proxy("http://there.invalid/") == ("http://proxy.invalid:3128", None)
        assert _find_proxy("https://there.invalid/") == (None, None)

    def test_there_may_be_none_for_an_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
        monkeypatch.setenv("no_proxy", "there.invalid")
        assert _find_proxy("http://there.invalid/") == (None, None)

    @pytest.mark.parametrize(
        "given", ["socks5://joe:canary@proxy.invalid:1", "http://joe:canary@proxy.invalid:x", "//"]
    )
    async def test_one_that_cannot_be_used_is_named_without_its_password(
        self, monkeypatch: pytest.MonkeyPatch, given: str
    ) -> None:
        monkeypatch.setenv("http_proxy", given)
        client = RemoteClient("http://there.invalid/", TOKEN)
        with pytest.raises(Unavailable, match="HTTP_PROXY does not name") as caught:
            await client.call(system.health, system.GetHealth())
        await client.close()
        assert "canary" not in f"{caught.value}{caught.value.info}"
