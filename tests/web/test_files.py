"""The bytes of files over HTTP: in, out, in part, not at all, and to a model."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import psutil
import pytest

MIB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\1\2\3" * 100
TABLE = b"month,sales\n2026-09,120\n2026-10,135\n"
NOBODY = "01900000-0000-7000-8000-00000000dead"
DEADLINE = 30.0


async def announce(site: Any, name: str, size: int, here: str = "", **more: Any) -> Any:
    body = {"conversation_id": here or await site.begin(), "name": name, "size": size} | more
    made = await site.call("files.create", body)
    assert made.status == 200, made.text
    return made.json


async def put(site: Any, upload: Any, body: Any, **headers: str) -> Any:
    return await site.ask("PUT", f"bestchat/api/files/{upload['id']}", body, site.headers | headers)


async def upload_file(site: Any, name: str, content: bytes, here: str = "") -> Any:
    stored = await put(site, await announce(site, name, len(content), here), content)
    assert stored.status == 200, stored.text
    return stored.json


async def get(site: Any, file_id: str, method: str = "GET", **headers: str) -> tuple[Any, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{site.url}bestchat/api/files/{file_id}"
    async with site.session.request(method, url, headers=site.headers | sent) as response:
        return response, await response.read()


async def read_text(site: Any, file_id: str) -> Any:
    """What is known of a file once its text was read."""
    async with asyncio.timeout(DEADLINE):
        while True:
            known = (await site.call("files.get", {"file_id": file_id})).json
            if known["text"] != "pending":
                return known
            await asyncio.sleep(0.02)


async def until(site: Any, upload: Any, state: str) -> None:
    """Come back when the bytes of a file have come so far."""
    async with asyncio.timeout(DEADLINE):
        while True:
            known = await site.call("files.get", {"file_id": upload["id"]})
            if known.json["state"] == state:
                return
            await asyncio.sleep(0.02)


async def answer_to(site: Any, here: str, **request: Any) -> tuple[Any, str]:
    """Say something; gives the message as it was stored, and the text of the answer."""
    asked = {"conversation_id": here, "request_id": here, "model": "scripted/echo"} | request
    ticket = await site.call("turns.start", asked)
    assert ticket.status == 200, ticket.text
    async with asyncio.timeout(DEADLINE):
        while True:
            state = (await site.call("conversations.get", {"conversation_id": here})).json
            turn = state["turns"].get(ticket.json["turn_id"], {})
            if turn.get("state") == "finished":
                break
            assert turn.get("state") in {None, "running"}, turn
            await asyncio.sleep(0.02)
    said = [it for it in state["messages"].values() if it["turn_id"] == ticket.json["turn_id"]]
    return said[0], "".join(part.get("text", "") for part in said[-1]["parts"])


async def test_what_was_sent_comes_back_as_a_download(site: Any) -> None:
    upload = await upload_file(site, "Größe 🌙.csv", TABLE)
    assert (upload["media_type"], upload["state"], upload["size"]) == ("text/csv", "stored", 36)
    response, body = await get(site, upload["id"])
    assert (response.status, body) == (200, TABLE)
    headers = response.headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Length"] == "36"
    disposition = headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="Gr_e_.csv"; ')
    assert disposition.endswith(f"filename*=UTF-8''{quote('Größe 🌙.csv')}")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "private, no-cache"


async def test_a_picture_can_be_shown_and_markup_cannot(site: Any) -> None:
    picture = await upload_file(site, "page.html", PNG)
    assert picture["media_type"] == "image/png"
    assert (await get(site, picture["id"]))[0].headers["Content-Type"] == "image/png"
    markup = await upload_file(site, "picture.png", b"<html><script>alert(1)</script></html>")
    assert markup["media_type"] == "text/plain"
    response, _ = await get(site, markup["id"])
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment")


RANGES = {
    "bytes=0-3": (206, b"0123", "bytes 0-3/10"),
    "bytes=4-": (206, b"456789", "bytes 4-9/10"),
    "bytes=-3": (206, b"789", "bytes 7-9/10"),
    "bytes=8-99": (206, b"89", "bytes 8-9/10"),
    "bytes=-99": (206, b"0123456789", "bytes 0-9/10"),
    "bytes=10-": (416, None, "bytes */10"),
    "bytes=-0": (416, None, "bytes */10"),
    "bytes=5-2": (200, b"0123456789", None),
    "bytes=0-1,4-5": (200, b"0123456789", None),
    "lines=1-2": (200, b"0123456789", None),
    "bytes=-": (200, b"0123456789", None),
    "bytes=x-y": (200, b"0123456789", None),
}


@pytest.mark.parametrize("wanted", RANGES)
async def test_a_part_can_be_read(plain: Any, wanted: str) -> None:
    status, expected, place = RANGES[wanted]
    upload = await upload_file(plain, "digits", b"0123456789")
    response, body = await get(plain, upload["id"], Range=wanted)
    assert (response.status, response.headers.get("Content-Range")) == (status, place)
    if expected is None:
        assert json.loads(body)["error"]["field"] == "Range"
    else:
        assert body == expected
        assert response.headers["Content-Length"] == str(len(expected))


async def test_a_browser_need_not_read_the_same_bytes_twice(site: Any) -> None:
    upload = await upload_file(site, "digits", b"0123456789")
    tag = (await get(site, upload["id"]))[0].headers["Etag"]
    response, body = await get(site, upload["id"], If_None_Match=tag)
    assert (response.status, body) == (304, b"")
    response, body = await get(site, upload["id"], Range="bytes=2-3", If_Range=tag)
    assert (response.status, body) == (206, b"23")
    response, body = await get(site, upload["id"], Range="bytes=2-3", If_Range='"other"')
    assert (response.status, body) == (200, b"0123456789")
    response, body = await get(site, upload["id"], "HEAD")
    assert (response.status, response.headers["Content-Length"], body) == (200, "10", b"")


async def test_an_empty_file_is_a_file(site: Any) -> None:
    upload = await upload_file(site, "nothing.txt", b"")
    response, body = await get(site, upload["id"])
    assert (response.status, body) == (200, b"")


async def test_a_file_comes_as_long_as_it_was_announced(site: Any) -> None:
    async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    upload = await announce(site, "a.txt", 10)
    for body in (b"123456789", b"12345678901"):  # by its length, before any of it has come
        answer = await put(site, upload, body)
        assert (answer.status, answer.error["field"]) == (400, "Content-Length")
    answer = await put(site, upload, pieces(b"12345", b"6789"))
    assert (answer.status, answer.error["code"]) == (400, "invalid_request")
    answer = await put(site, upload, pieces(b"12345", b"678901"))
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    answer = await put(site, upload, pieces(b"12345", b"67890"))
    assert (answer.status, answer.json["state"]) == (200, "stored")
    answer = await put(site, upload, b"abcdefghij")
    assert (answer.status, answer.error["code"]) == (409, "conflict")
    assert (await get(site, upload["id"]))[1] == b"1234567890"


async def test_what_broke_off_can_be_sent_again(site: Any) -> None:
    upload = await announce(site, "large.bin", 3 * MIB)
    begun = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b"x" * MIB
        begun.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(put(site, upload, half()))
    await begun.wait()
    await until(site, upload, "receiving")
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await until(site, upload, "expected")
    assert (await put(site, upload, io.BytesIO(b"y" * 3 * MIB))).status == 200
    assert (await get(site, upload["id"]))[1] == b"y" * 3 * MIB


async def test_whoever_is_not_known_sends_and_reads_nothing(site: Any) -> None:
    upload = await announce(site, "a.txt", 1000)
    stored = await upload_file(site, "b.txt", b"secret")
    known, site.headers = site.headers, {"Authorization": "Bearer bc_" + "A" * 43}
    answer = await put(site, upload, b"x" * 1000)
    assert (answer.status, answer.error["code"]) == (401, "not_authenticated")
    response, body = await get(site, stored["id"])
    assert (response.status, b"secret" in body) == (401, False)
    site.headers = {}
    assert (await put(site, upload, b"x")).status in {401, 403}
    assert (await get(site, stored["id"]))[0].status in {401, 403}
    site.headers = known


async def test_others_files_look_like_none(site: Any) -> None:
    stored, expected = await upload_file(site, "b.txt", b"secret"), await announce(site, "c", 1)
    mine, site.headers = site.headers, await site.add_token("somebody else")
    seen = []
    for file_id in (stored["id"], NOBODY, "..%2F..%2Fetc%2Fpasswd", "x"):
        response, body = await get(site, file_id)
        seen.append((response.status, body))
    assert len(set(seen)) == 1
    assert seen[0][0] == 404
    answer = await put(site, expected, b"x")
    assert (answer.status, answer.json) == (404, json.loads(seen[0][1]))
    # In a message of one's own it is nobody's either.
    here = await site.begin()
    request = {
        "conversation_id": here,
        "request_id": "r",
        "text": "Read it.",
        "model": "scripted/echo",
    }
    answer = await site.call("turns.start", request | {"files": [stored["id"]]})
    assert (answer.status, answer.error["field"]) == (400, "files[0]")
    site.headers = mine


async def test_a_browser_of_another_page_sends_nothing(inside: Any) -> None:
    """A cookie alone does not do: the header is missing that only our own page can send."""
    upload = await announce(inside, "a.txt", 1)
    jar = aiohttp.CookieJar(unsafe=True)
    token = inside.headers["Authorization"].partition(" ")[2]
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        async with browser.get(f"{inside.url}lab?token={token}"):
            pass
        url = f"{inside.url}bestchat/api/files/{upload['id']}"
        async with browser.put(url, data=b"x") as response:
            assert response.status == 403
        xsrf = next(cookie.value for cookie in jar if cookie.key == "_xsrf")
        async with browser.put(url, data=b"x", headers={"X-XSRFToken": xsrf}) as response:
            assert response.status == 200


async def test_limits_are_said_before_anything_is_sent(plain: Any) -> None:
    here = await plain.begin()
    body = {"conversation_id": here, "name": "a", "size": 101 * 10**6}
    answer = await plain.call("files.create", body)
    assert (answer.status, answer.error["code"], answer.error["field"]) == (
        413,
        "too_large",
        "size",
    )
    assert "max_file_mb" in answer.error["hint"]
    for _ in range(50):
        await announce(plain, "a", 100 * 10**6, here)
    answer = await plain.call("files.create", body | {"size": 1})
    assert (answer.status, answer.error["code"]) == (429, "limit_reached")
    assert "max_files_mb" in answer.error["hint"]


async def test_a_large_file_is_never_in_memory(site: Any, request: pytest.FixtureRequest) -> None:
    pid, jupyter = os.getpid(), request.getfixturevalue("jupyter")
    if urlsplit(site.url).port == urlsplit(jupyter.url).port:
        pid = jupyter._process.pid
    process, piece, count = psutil.Process(pid), os.urandom(MIB), 90
    await upload_file(site, "warm.bin", piece)
    before = peak = process.memory_info().rss

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal peak
        for _ in range(count):
            yield piece
            peak = max(peak, process.memory_info().rss)

    upload = await announce(site, "large.bin", count * MIB)
    length = {"Content-Length": str(count * MIB)}
    assert (await put(site, upload, pieces(), **length)).status == 200
    digest, size = hashlib.sha256(), 0
    async with site.session.get(
        f"{site.url}bestchat/api/files/{upload['id']}", headers=site.headers
    ) as response:
        async for chunk in response.content.iter_chunked(MIB):
            digest.update(chunk)
            size += len(chunk)
            peak = max(peak, process.memory_info().rss)
    assert size == count * MIB
    assert digest.digest() == hashlib.sha256(piece * count).digest()
    assert peak - before < 45 * MIB, f"{(peak - before) / MIB:.0f} MiB more"


async def test_a_model_reads_what_a_table_says(site: Any) -> None:
    here = await site.begin()
    upload = await upload_file(site, "sales.csv", TABLE, here)
    message, answer = await answer_to(site, here, text="What is in it?", files=[upload["id"]])
    assert message["parts"] == [
        {"type": "text", "text": "What is in it?"},
        {
            "type": "file",
            "file_id": upload["id"],
            "name": "sales.csv",
            "media_type": "text/csv",
            "size": 36,
        },
    ]
    assert "Attached file `sales.csv` (a table of 2 rows below its header" in answer
    assert "2026-10,135" in answer
    known = await read_text(site, upload["id"])
    assert (known["text"], known["attached"]) == ("ready", True)


async def test_what_has_not_come_whole_cannot_be_said(site: Any) -> None:
    here = await site.begin()
    upload = await announce(site, "a.txt", 10, here)
    request = {"conversation_id": here, "request_id": "r", "text": "x", "model": "scripted/echo"}
    answer = await site.call("turns.start", request | {"files": [upload["id"]]})
    assert (answer.status, answer.error["field"]) == (400, "files[0]")


async def test_a_file_stays_with_its_message_through_edits_and_forks(site: Any) -> None:
    here = await site.begin()
    upload = await upload_file(site, "sales.csv", TABLE, here)
    message, _ = await answer_to(site, here, text="First", files=[upload["id"]])
    refused = await site.call("files.delete", {"file_id": upload["id"]})
    assert (refused.status, refused.error["code"]) == (409, "conflict")
    edit = {"conversation_id": here, "request_id": "edit", "model": "scripted/echo"}
    edit |= {"message_id": message["id"], "text": "Second"}
    assert (await site.call("messages.edit", edit)).status == 200
    state = (await site.call("conversations.get", {"conversation_id": here})).json
    edited = next(it for it in state["messages"].values() if it["parts"][0].get("text") == "Second")
    assert edited["parts"][1] == message["parts"][1]

    fork = (await site.call("conversations.fork", {"conversation_id": here})).json
    gone = {"conversation_id": here, "forever": True}
    assert (await site.call("conversations.delete", gone)).status == 200
    assert (await get(site, upload["id"]))[0].status == 404
    (copy,) = (await site.call("files.list", {"conversation_id": fork["id"]})).json["files"]
    assert copy["id"] != upload["id"]
    assert (await get(site, copy["id"]))[1] == TABLE
    _, answer = await answer_to(site, fork["id"], text="And now?")
    assert "And now?" in answer


async def test_files_go_with_their_conversation(plain: Any, data_dir: Path) -> None:
    """From the table, and from the disk."""
    here = await plain.begin()
    upload = await upload_file(plain, "sales.csv", TABLE, here)
    kept = await upload_file(plain, "other.csv", TABLE)
    await answer_to(plain, here, text="x", files=[upload["id"]])
    await plain.call("conversations.delete", {"conversation_id": here})
    assert (await get(plain, upload["id"]))[1] == TABLE  # it can be restored
    await plain.call("conversations.delete", {"conversation_id": here, "forever": True})
    assert (await get(plain, upload["id"]))[0].status == 404
    found = [path.name for path in (data_dir / "files").rglob("*") if path.is_file()]
    assert found == [kept["id"]]


async def test_an_imported_conversation_names_nobodys_files(plain: Any) -> None:
    here = await plain.begin()
    upload = await upload_file(plain, "sales.csv", TABLE, here)
    await answer_to(plain, here, text="x", files=[upload["id"]])
    export = (
        await plain.call("conversations.export", {"conversation_id": here, "format": "json"})
    ).json
    imported = await plain.call("conversations.import", {"content": export["content"]})
    assert imported.status == 200, imported.text
    _, answer = await answer_to(plain, imported.json["id"], text="And now?")
    assert "135" not in answer
    assert (await plain.call("files.list", {"conversation_id": imported.json["id"]})).json == {
        "files": []
    }
