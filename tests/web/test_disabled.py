"""A site that has switched BestChat off."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bestchat_server_ext.api.catalog import PROCEDURES
from bestchat_server_ext.core.errors import Disabled


@pytest.fixture(scope="module")
def off(start_jupyter: Any) -> Any:
    return start_jupyter("/", "--BestChat.enabled=False", BESTCHAT_URL="http://127.0.0.1:1/")


@pytest.fixture
def site(off: Any, session: aiohttp.ClientSession, site_of: Any) -> Any:
    return site_of(off, session)


async def test_every_procedure_says_so_and_nothing_is_opened(site: Any, off: Any) -> None:
    for headers in (site.headers, {"Authorization": "token bc_" + "A" * 43}):
        for procedure in PROCEDURES:
            if procedure.stream:
                continue
            answer = await site.call(procedure.name, {}, headers)
            assert (procedure.name, answer.status) == (procedure.name, 403)
            assert answer.error["code"] == "disabled"
            assert "switched off" in answer.error["text"]
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await site.connect(headers)
        assert caught.value.status == 403
    assert not off.data_dir.exists()
    assert off.alarms == []


async def test_health_says_so_to_whom_it_concerns(site: Any) -> None:
    health = (await site.ask("GET", "bestchat/api/health")).json
    assert (health["alive"], health["error"]["code"]) == (True, "disabled")
    stranger = await site.ask("GET", "bestchat/api/health", headers={})
    assert stranger.json == {"alive": True, "protocol": 1}


async def test_kernels_get_no_address_and_say_so_in_one_line(
    site: Any, off: Any, told: Any, run_in_kernel: Any
) -> None:
    kernel = (await site.ask("POST", "api/kernels", {"name": "python3"})).json["id"]
    environ = await told(off, kernel)
    assert not {"BESTCHAT_URL", "BESTCHAT_TOKEN"} & set(environ)
    assert environ["BESTCHAT_ENABLED"] == "false"
    code = 'get_ipython().run_line_magic("load_ext", "bestchat_kernel")\n'
    code += 'get_ipython().run_cell_magic("chat", "", "Hello?")'
    reply = await run_in_kernel(off, kernel, code)
    assert reply["status"] == "error"
    assert "the option is `enabled`" in reply["evalue"]
    assert "\n" not in reply["evalue"].strip()
    await site.ask("DELETE", f"api/kernels/{kernel}")
    assert not off.data_dir.exists()


async def test_it_is_said_outside_of_jupyter_too(mount: Any) -> None:
    async def build() -> Any:
        raise Disabled("BestChat is switched off on this server.")

    site = await mount(build)
    answer = await site.call("conversations.list", {}, {"Authorization": "token bc_" + "A" * 43})
    assert (answer.status, answer.error["code"]) == (403, "disabled")
