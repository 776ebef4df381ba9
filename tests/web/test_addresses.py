"""What kernels are told about where their server is, and that it gets them there."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from http.client import HTTPSConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from bestchat_server_ext.api import conversations, turns
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.ids import ConversationId, RequestId
from bestchat_server_ext.core.messages import TextPart
from bestchat_server_ext.web.extension import BestChat


@asynccontextmanager
async def speaking(url: str, token: str) -> AsyncIterator[RemoteClient]:
    """Our own client, closed in the end."""
    client = RemoteClient(url, token)
    try:
        yield client
    finally:
        await client.close()


async def chat(client: RemoteClient) -> str:
    """Ask over HTTP, and hear the answer over the WebSocket."""
    made = await client.call(conversations.create, conversations.CreateConversation())
    question = turns.StartTurn(
        conversation_id=made.id,
        request_id=RequestId(made.id),
        text="Is it you?",
        model="scripted/echo",
    )
    await client.call(turns.start, question)
    async with asyncio.timeout(30), aclosing(client.follow(made.id, 0)) as frames:
        async for frame in frames:
            if isinstance(frame, ev.Envelope) and isinstance(frame.event, ev.TurnFinished):
                break
    state = await client.call(conversations.get, conversations.GetConversation(made.id))
    return "".join(
        part.text for part in list(state.messages.values())[-1].parts if isinstance(part, TextPart)
    )


class TestWhereTheServerListens:
    """As a kernel reaches it, whatever was configured."""

    @pytest.mark.parametrize(
        ("ip", "more", "address"),
        [
            ("127.0.0.1", {}, "http://127.0.0.1:8888/"),
            ("localhost", {"base_url": "/user/ada/"}, "http://localhost:8888/user/ada/"),
            ("", {}, "http://127.0.0.1:8888/"),
            ("0.0.0.0", {}, "http://127.0.0.1:8888/"),
            ("::", {}, "http://[::1]:8888/"),
            ("::1", {"base_url": "/x/"}, "http://[::1]:8888/x/"),
            ("10.1.2.3", {}, "http://10.1.2.3:8888/"),
            ("0.0.0.0", {"certfile": "/c.pem"}, "https://127.0.0.1:8888/"),
            ("", {"sock": "/run/j.sock"}, "http+unix://%2Frun%2Fj.sock/"),
            ("", {"sock": "/a b%/j", "base_url": "/x/"}, "http+unix://%2Fa%20b%25%2Fj/x/"),
        ],
    )
    def test_it_is_told_in_a_form_that_works(
        self, ip: str, more: dict[str, str], address: str
    ) -> None:
        from jupyter_server.serverapp import ServerApp

        extension = BestChat()
        extension.serverapp = ServerApp(ip=ip, port=8888, **more)
        assert extension._derived_address() == address

    def test_a_socket_is_found_from_every_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from jupyter_server.serverapp import ServerApp

        monkeypatch.chdir(tmp_path)
        extension = BestChat()
        extension.serverapp = ServerApp(sock="j.sock")
        told = urlsplit(extension._derived_address()).netloc
        assert told == str(tmp_path / "j.sock").replace("/", "%2F")


async def test_what_is_configured_counts(
    start_jupyter: Any, session: Any, site_of: Any, mice: Any
) -> None:
    server = start_jupyter("/", "--BestChat.server_url=https://hub.example/user/ada/")
    site = site_of(server, session)
    mice.settle(server)
    kernel = (await site.ask("POST", "api/kernels", {"name": "mouse"})).json["id"]
    assert (await mice.environ(kernel))["BESTCHAT_URL"] == "https://hub.example/user/ada/"
    await site.ask("DELETE", f"api/kernels/{kernel}")


@pytest.fixture(scope="module")
def on_socket(start_jupyter: Any, socket_way: Any) -> Iterator[Any]:
    """A server that listens on no port at all."""
    server = start_jupyter("/base/", way=socket_way())
    yield server
    server.stop()  # while there is a socket


CHAT = """
%load_ext bestchat_kernel
get_ipython().run_cell_magic("chat", "", "Is it you?")
"""


async def begin(server: Any, name: str = "python3", connection: Any = None) -> str:
    """Start a kernel, past our own clients."""

    def ask() -> str:
        line = server._way.connection()
        headers = {"Authorization": f"token {server.token}"}
        path = f"{server._base_url}api/kernels"
        line.request("POST", path, json.dumps({"name": name}), headers)
        response = line.getresponse()
        found = json.loads(response.read())
        line.close()
        assert response.status == 201, found
        return str(found["id"])

    return await asyncio.to_thread(ask)


async def test_a_server_on_a_unix_socket(
    on_socket: Any, mice: Any, run_in_kernel: Any, tmp_path: Path
) -> None:
    async with speaking(on_socket.url, on_socket.token) as client:
        assert await chat(client) == "Is it you?"
    mice.settle(on_socket)
    mouse = await begin(on_socket, "mouse")
    environ = await mice.environ(mouse)
    assert environ["BESTCHAT_URL"] == on_socket.url
    async with speaking(environ["BESTCHAT_URL"], environ["BESTCHAT_TOKEN"]) as client:
        assert await chat(client) == "Is it you?"
    kernel = await begin(on_socket)
    reply = await run_in_kernel(on_socket, kernel, CHAT)
    assert reply["status"] == "ok", reply


async def test_a_socket_that_is_gone_is_named() -> None:
    async with speaking("http+unix://%2Fnowhere%2Fj.sock/", "bc_x") as client:
        with pytest.raises(Unavailable, match=r"there is no socket /nowhere/j\.sock") as caught:
            await client.call(conversations.list_, conversations.ListConversations())
    assert "unset BESTCHAT_URL and BESTCHAT_TOKEN" in caught.value.info.hint


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(
    start_jupyter: Any,
    authority: trustme.CA,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Any:
    """Starts a server with a certificate that only a private authority vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))

    def start(*, trusted: bool) -> Any:
        port = free_port()
        own = ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
        files = [f"--ServerApp.{name}file={folder / name}.pem" for name in ("cert", "key")]
        way = SimpleNamespace(
            url=f"https://127.0.0.1:{port}",
            options=own + files,
            connection=lambda: HTTPSConnection("127.0.0.1", port, context=context),
            launcher=(),
        )
        more = {"SSL_CERT_FILE": str(folder / "ca.pem")} if trusted else {}
        return start_jupyter("/", way=way, **more)

    return start


async def test_a_private_authority_of_the_environment_is_believed(
    secure: Any, run_in_kernel: Any
) -> None:
    server = secure(trusted=True)
    kernel = await begin(server)
    reply = await run_in_kernel(server, kernel, CHAT)
    assert reply["status"] == "ok", reply


async def test_without_it_nothing_is_sent_and_the_error_says_what_to_do(
    secure: Any, run_in_kernel: Any
) -> None:
    server = secure(trusted=False)
    kernel = await begin(server)
    reply = await run_in_kernel(server, kernel, CHAT)
    assert reply["status"] == "error"
    assert f"{server.url}bestchat/api/ cannot be reached" in reply["evalue"]
    assert "its certificate is not accepted" in reply["evalue"]
    assert "SSL_CERT_FILE" in reply["evalue"]
    # And a line that is only followed does not try for minutes what time does not mend.
    async with speaking(server.url, server.token) as client:
        with pytest.raises(Unavailable, match="certificate is not accepted"):
            await anext(client.follow(ConversationId("c")))


WHOLE_URL = re.compile(rb"^([A-Z]+ )(http://\S+)( HTTP/1.1\r\n)")


class Forwarder:
    """A proxy of the kind that HTTP_PROXY names, for plain HTTP and what is upgraded from it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.target = ("", 0)

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self.target)
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                writer.write(WHOLE_URL.sub(self._strip, piece))
                await writer.drain()
        writer.close()

    def _strip(self, found: re.Match[bytes]) -> bytes:
        """What the server is asked, where a proxy is asked with the host in front."""
        self.asked.append(found[2].decode())
        return found[1] + urlsplit(found[2]).path + found[3]


class TestProxiesOfTheEnvironment:
    """They stand between this machine and others, and never between this machine and itself."""

    @pytest.fixture
    async def forwarder(
        self, jupyter: Any, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[Forwarder]:
        found = Forwarder()
        server = await found.listen()
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, found.url)
        parts = urlsplit(jupyter.url)
        found.target = (parts.hostname, parts.port)
        async with server:
            yield found

    async def test_another_machine_is_reached_through_one(
        self, start_jupyter: Any, forwarder: Forwarder
    ) -> None:
        server = start_jupyter("/", "--ServerApp.allow_remote_access=True")
        parts = urlsplit(server.url)
        forwarder.target = (parts.hostname, parts.port)
        async with speaking("http://jupyter.invalid/", server.token) as client:
            assert await chat(client) == "Is it you?"
        assert {urlsplit(url).hostname for url in forwarder.asked} == {"jupyter.invalid"}
        assert "http://jupyter.invalid/bestchat/api/events" in forwarder.asked

    async def test_except_where_no_proxy_says_so(
        self, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("no_proxy", "jupyter.invalid")
        async with speaking("http://jupyter.invalid/", "bc_x") as client:
            with pytest.raises(Unavailable, match=r"jupyter\.invalid"):
                await client.call(conversations.list_, conversations.ListConversations())
        assert forwarder.asked == []

    async def test_this_machine_is_not(self, jupyter: Any, forwarder: Forwarder) -> None:
        async with speaking(jupyter.url, jupyter.token) as client:
            assert await chat(client) == "Is it you?"
        assert forwarder.asked == []

    async def test_nor_is_a_socket(self, on_socket: Any, forwarder: Forwarder) -> None:
        async with speaking(on_socket.url, on_socket.token) as client:
            assert await chat(client) == "Is it you?"
        assert forwarder.asked == []
