from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bestchat_kernel.connect import connect
from bestchat_server_ext.api import system
from bestchat_server_ext.core.errors import InvalidRequest, NotInstalled, Unavailable

TOKEN = "bct_" + "x" * 43


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"BESTCHAT_URL": "http://127.0.0.1:1/"}, "BESTCHAT_TOKEN"),
        ({"BESTCHAT_TOKEN": TOKEN}, "BESTCHAT_URL"),
        ({"BESTCHAT_TOKEN": TOKEN, "BESTCHAT_URL": ""}, "BESTCHAT_URL"),
    ],
)
async def test_half_an_address_is_an_error(environ: dict[str, str], missing: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{missing} is missing"):
        await connect(environ)


async def test_a_server_and_no_other_way_where_there_is_an_address() -> None:
    connection = await connect({"BESTCHAT_URL": "http://127.0.0.1:1/", "BESTCHAT_TOKEN": TOKEN})
    assert (connection.door, connection.place) == ("server", "http://127.0.0.1:1/")
    assert connection.attended
    await connection.client.close()


async def test_this_process_where_there_is_none(tmp_path: Path) -> None:
    connection = await connect({"BESTCHAT_DATA_DIR": str(tmp_path)})
    assert (connection.door, connection.place) == ("in-process", "this kernel")
    assert not connection.attended
    identity = await connection.client.call(system.whoami, system.WhoAmI())
    assert identity.owner == "local"
    await connection.client.close()


@pytest.mark.parametrize("library", ["sqlalchemy", "bestchat_server_ext.bootstrap"])
async def test_the_light_install_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    for name in list(sys.modules):
        if name.startswith("bestchat_server_ext.adapters.storage_sql"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NotInstalled, match=library) as caught:
        await connect({"BESTCHAT_DATA_DIR": str(tmp_path)})
    assert "bestchat[lab]" in caught.value.info.hint


def test_loading_the_faces_loads_no_network_and_no_database() -> None:
    code = (
        "import sys, bestchat_kernel.magics;"
        "print([name for name in ('aiohttp', 'sqlalchemy', 'alembic', 'pydantic', 'tornado.web',"
        " 'jupyter_server', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("127.0.0.1:8888", "begins neither with http"),
        ("http://127.0.0.1:8888/lab?token=canary", "address of a page"),
        ("http://ada:canary@127.0.0.1/", "name or password"),
    ],
)
async def test_an_address_that_cannot_be_one_is_an_error(url: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as caught:
        await connect({"BESTCHAT_URL": url, "BESTCHAT_TOKEN": TOKEN})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"Bearer {TOKEN}", f"{TOKEN}\u00e9"])
async def test_a_token_that_cannot_be_one_is_an_error(token: str) -> None:
    with pytest.raises(InvalidRequest, match="no token has") as caught:
        await connect({"BESTCHAT_URL": "http://127.0.0.1:1/", "BESTCHAT_TOKEN": token})
    assert TOKEN not in str(caught.value)


async def test_nobody_at_the_address_is_told_with_the_address_and_what_to_do() -> None:
    connection = await connect({"BESTCHAT_URL": "http://127.0.0.1:1/", "BESTCHAT_TOKEN": TOKEN})
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1/bestchat/api/") as caught:
        await connection.client.call(system.whoami, system.WhoAmI())
    assert "unset BESTCHAT_URL and BESTCHAT_TOKEN" in caught.value.info.hint
    await connection.client.close()
