"""What all tests share: no outside, a clean environment, an application in a temporary folder."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.adapters.tools_server import FunctionTools
from bestchat_server_ext.bootstrap import Application, open_application
from bestchat_server_ext.testing.script import Action, Echo, Script, ScriptTurn, write

RULE = "Tests speak to this machine only: no model host, no registry, no name server."

LEAKS = ("BESTCHAT_", "JUPYTER_", "JPY_", "OPENAI_", "ANTHROPIC_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy")


class Outside(AssertionError):
    """A test tried to reach another machine."""


def _require_here(host: Any) -> None:
    """Refuse every host that is not this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return
    try:
        if ipaddress.ip_address(name.partition("%")[0]).is_loopback:
            return
    except ValueError:
        pass
    raise Outside(f"{RULE} This one wanted {name!r}.")


@pytest.fixture(autouse=True)
def no_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ban the network. An attempt fails the test even if the error was swallowed on its way."""
    attempts: list[Outside] = []
    originals = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex")}
    resolve = socket.getaddrinfo

    def check(host: Any) -> None:
        try:
            _require_here(host)
        except Outside as error:
            attempts.append(error)
            raise

    def guarded(name: str) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                check(address[0])
            return originals[name](self, address)

        return connect

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        check(host)
        return resolve(host, *args, **kwargs)

    for name in originals:
        monkeypatch.setattr(socket.socket, name, guarded(name))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    if attempts:
        raise attempts[0]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, servers and configuration of whoever runs the tests are none of the tests' business."""
    for name in list(os.environ):
        if name.startswith(LEAKS) or name.lower() in PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def scripts_dir(tmp_path: Path) -> Path:
    """A folder with one script, `scripted/echo`, which says the question back."""
    folder = tmp_path / "scripts"
    write(Script((ScriptTurn(((Echo(),),)),)), folder / "echo.json")
    return folder


WriteScript = Callable[..., str]


@pytest.fixture
def script(scripts_dir: Path) -> WriteScript:
    """Write a script of one turn, step by step; gives its model reference."""

    def write_script(name: str, *steps: tuple[Action, ...], chunk: int = 12) -> str:
        write(Script((ScriptTurn(steps),), chunk), scripts_dir / f"{name}.json")
        return f"scripted/{name}"

    return write_script


@pytest.fixture
def environ(data_dir: Path, scripts_dir: Path) -> dict[str, str]:
    """The environment of an application that has nothing but scripts."""
    return {
        "BESTCHAT_DATA_DIR": str(data_dir),
        "BESTCHAT_SCRIPTS_DIR": str(scripts_dir),
        "BESTCHAT_DEFAULT_MODEL": "scripted/echo",
    }


OpenApplication = Callable[..., Awaitable[Application]]


@pytest.fixture
async def open_here(environ: dict[str, str]) -> AsyncIterator[OpenApplication]:
    """Open applications on the same folder, each with some functions as tools."""
    async with AsyncExitStack() as stack:

        async def open_one(*functions: Callable[..., Any], **options: Any) -> Application:
            opened = await open_application(environ, options, tools=[FunctionTools(functions)])
            stack.push_async_callback(opened.close)
            return opened

        yield open_one


@pytest.fixture
async def application(open_here: OpenApplication) -> Application:
    return await open_here()
