"""One configuration file, the same through both doors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bestchat_kernel.session import ChatSession
from bestchat_server_ext.api import system
from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core.errors import InvalidRequest

PASSWORD = "canary-word"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Jupyter's configuration path."""
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(folder))
    return folder


@pytest.fixture
async def near(environ: dict[str, str], config: Path) -> AsyncIterator[Client]:
    """In this process; opened after the file was written."""
    (config / "bestchat_config.py").write_text(
        "c.BestChat.step_limit = 7\n"
        "c.BestChat.allowed_models = ['scripted/*']\n"
        f"c.BestChat.allowed_base_urls = ['https://ada:{PASSWORD}@a.example/']\n"
    )
    environ["BESTCHAT_DEFAULT_MODEL"] = "scripted/echo"
    client = InProcessClient(await open_application(environ))
    yield client
    await client.close()


async def listed(client: Client) -> dict[str, tuple[str, str]]:
    """Values and origins of what somebody has set."""
    answer = await client.call(system.options, system.ListOptions())
    assert PASSWORD not in repr(answer)
    return {
        option.name: (option.value, option.origin)
        for option in answer.options
        if option.origin != system.DEFAULT_ORIGIN
    }


async def test_the_same_through_both_doors(near: Client, config: Path, start_jupyter: Any) -> None:
    server = start_jupyter("/", "--BestChat.step_limit=9", JUPYTER_CONFIG_PATH=str(config))
    far = RemoteClient(server.url, server.token)
    here, there = await listed(near), await listed(far)
    await far.close()
    path = str(config / "bestchat_config.py")
    assert here.pop("step_limit") == ("7", path)
    assert there.pop("step_limit") == ("9", "c.BestChat.step_limit of the server")
    for own in (here, there):
        assert own.pop("data_dir")[1] == "BESTCHAT_DATA_DIR"
        assert own.pop("scripts_dir")[1] == "BESTCHAT_SCRIPTS_DIR"
    assert here == there
    assert here == {
        "allowed_models": ("scripted/*", path),
        "allowed_base_urls": ("https://ada:***@a.example/", path),
        "default_model": ("scripted/echo", "BESTCHAT_DEFAULT_MODEL"),
    }


async def test_a_broken_file_is_told_by_the_first_call(
    environ: dict[str, str], config: Path
) -> None:
    (config / "bestchat_config.json").write_text("{")
    session = ChatSession(environ)
    with pytest.raises(InvalidRequest, match=r"bestchat_config\.json cannot be read: line 1"):
        await session.status()
    (config / "bestchat_config.json").unlink()
    assert dict(await session.status())["door"] == "in-process"
    await session.close()
