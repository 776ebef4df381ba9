"""Replays before a session on the services themselves, with scripts for answers."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bestchat_kernel.replay import Mode, Replay
from bestchat_kernel.result import ChatResult
from bestchat_kernel.session import ChatSession, Progress, Question
from bestchat_server_ext.api import conversations
from bestchat_server_ext.core.errors import (
    ChatError,
    InvalidRequest,
    NotRecorded,
    RateLimited,
    Unavailable,
)
from bestchat_server_ext.core.messages import ImagePart
from bestchat_server_ext.core.models import RequestOptions

SCRIPT: dict[str, Any] = {
    "turns": [
        {"when": "^count", "steps": [[{"do": "count"}]]},
        {"when": "^break", "steps": [[{"do": "fail", "code": "rate_limited"}]]},
        {"steps": [[{"do": "echo", "prefix": "heard: "}]]},
    ]
}


class Notebook:
    """One kernel's session, with a replay before it."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.session = ChatSession(environ)
        self.replay = Replay(self.session, environ)
        self.told: list[Progress] = []

    async def ask(self, text: str, cell: str = "", **more: Any) -> ChatResult:
        return await self.replay.ask(Question(text, cell or text, **more), self.told.append)

    async def asked(self) -> int:
        """How many conversations there are: a replay makes none."""
        client = (await self.session.connection()).client
        page = await client.call(conversations.list_, conversations.ListConversations())
        return len(page.conversations)


Open = Callable[[Mode], Notebook]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    (tmp_path / "test.json").write_text(json.dumps(SCRIPT))
    monkeypatch.chdir(tmp_path)
    notebooks: list[Notebook] = []

    def start(mode: Mode) -> Notebook:
        notebooks.append(
            Notebook(
                {
                    "BESTCHAT_DATA_DIR": str(tmp_path / "data"),
                    "BESTCHAT_SCRIPTS_DIR": str(tmp_path),
                    "BESTCHAT_DEFAULT_MODEL": "scripted/test",
                    "BESTCHAT_REPLAY": mode,
                    "JPY_SESSION_NAME": "work/analysis.ipynb",
                }
            )
        )
        return notebooks[-1]

    yield start
    for notebook in notebooks:
        await notebook.session.close()


async def test_the_second_run_asks_nobody_and_tells_the_same(start: Open) -> None:
    runs = []
    for mode in ("auto", "only"):
        notebook = start(mode)  # type: ignore[arg-type]  # both are modes
        results = [await notebook.ask(text) for text in ("one", "count", "two")]
        runs.append([(it.text, it.model, it.usage, it.turn_id) for it in results])
    assert runs[0] == runs[1]
    assert [row[0] for row in runs[0]] == ["heard: one", "3", "heard: two"]
    assert await notebook.asked() == 1


async def test_a_replay_opens_no_door(start: Open) -> None:
    await start("auto").ask("one")
    notebook = start("only")
    notebook.session.connection = None  # type: ignore[assignment, method-assign]  # calling it fails
    assert (await notebook.ask("one")).text == "heard: one"


async def test_a_new_question_knows_what_was_replayed(start: Open) -> None:
    first = start("auto")
    await first.ask("one")
    await first.ask("two")
    second = start("auto")
    for text in ("one", "two"):
        await second.ask(text)
    assert (await second.ask("count")).text == "5"
    assert (await second.ask("count more", "x")).text == "7"
    assert (await start("only").ask("one")).text == "heard: one"


async def test_a_cell_that_runs_again_keeps_its_place(start: Open) -> None:
    notebook = start("auto")
    for _ in range(2):
        await notebook.ask("one", "a")
        assert (await notebook.ask("count", "b")).text == "3"
    assert (await notebook.ask("count again", "b")).text == "3"
    await notebook.ask("another", "a")
    assert (await notebook.ask("count", "b")).text == "3"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text": "one\nthree"}, "the prompt has 'three' in place of 'two'"),
        ({"model": "scripted/other"}, "the model is scripted/other, not the default"),
        ({"system": "Be brief."}, "the instructions or options have changed"),
        ({"options": RequestOptions(temperature=0.5)}, "the instructions or options have changed"),
        ({"images": (ImagePart("image/png", b"x"),)}, "the pictures have changed"),
    ],
)
async def test_what_changed_is_said_and_nobody_is_asked(
    start: Open, change: dict[str, Any], says: str
) -> None:
    await start("auto").ask("one\ntwo")
    notebook = start("only")
    with pytest.raises(NotRecorded, match="nobody is asked") as caught:
        await notebook.ask(**{"text": "one\ntwo"} | change)
    assert says in str(caught.value)
    assert await notebook.asked() == 1


async def test_a_change_before_it_counts(start: Open) -> None:
    first = start("auto")
    await first.ask("one", "a")
    await first.ask("two", "b")
    await first.ask("other", "a")
    second = start("only")
    await second.ask("other", "a")
    with pytest.raises(NotRecorded, match="something before it in the conversation has changed"):
        await second.ask("two", "b")


async def test_refresh_asks_anew(start: Open, tmp_path: Path) -> None:
    await start("auto").ask("one")
    (tmp_path / "test.json").write_text(
        json.dumps({"turns": [{"steps": [[{"do": "say", "text": "anew"}]]}]})
    )
    assert (await start("auto").ask("one")).text == "heard: one"
    assert (await start("refresh").ask("one")).text == "anew"
    assert (await start("only").ask("one")).text == "anew"


async def test_a_refresh_sees_one_version_of_what_is_mentioned(start: Open) -> None:
    versions = iter(["v1", "v2", "v3"])

    async def fetch() -> tuple[str, tuple[str, ...]]:
        return next(versions), ()

    async def cell(notebook: Notebook, text: str) -> str:
        page, _ = await notebook.replay.mentioned("page:http://a", fetch)
        return (await notebook.ask(f"{text} {page}", text)).text

    async def run(notebook: Notebook) -> list[str]:
        return [await cell(notebook, text) for text in ("one", "two")]

    assert await run(start("auto")) == ["heard: one v1", "heard: two v1"]
    refreshed = start("refresh")
    assert await run(refreshed) == ["heard: one v2", "heard: two v2"]
    assert await run(start("only")) == ["heard: one v2", "heard: two v2"]
    refreshed.replay.switch("refresh")
    assert await run(refreshed) == ["heard: one v3", "heard: two v3"]
    assert await run(start("only")) == ["heard: one v3", "heard: two v3"]


async def test_a_failure_is_given_again_only_where_nobody_is_asked(
    start: Open, tmp_path: Path
) -> None:
    for mode in ("auto", "only"):
        with pytest.raises(RateLimited):
            await start(mode).ask("break")
    (tmp_path / "test.json").write_text(json.dumps({"turns": SCRIPT["turns"][2:]}))
    with pytest.raises(RateLimited):
        await start("only").ask("break")
    assert (await start("auto").ask("break")).text == "heard: break"


async def test_the_file_can_be_read_and_compared(start: Open, tmp_path: Path) -> None:
    await start("auto").ask("one\ntwo")
    path = tmp_path / "analysis.replay.json"
    written = path.read_text()
    found = json.loads(written)
    assert "keys of providers" in found["about"]
    (record,) = found["records"]
    assert record["content"]["text"] == ["one", "two"]
    assert record["answer"]["text"] == ["heard: one", "two"]
    assert '"two"\n' in written
    await start("auto").ask("one\ntwo")
    assert path.read_text() == written
    assert sorted(os.listdir(tmp_path)) == ["analysis.replay.json", "data", "test.json"]  # noqa: PTH208  nothing else is left


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("{}", InvalidRequest, "no recording of BestChat's"),
        ("[1", InvalidRequest, "no recording of BestChat's"),
        ('{"about": "", "version": 2, "records": []}', InvalidRequest, "newer version"),
    ],
)
async def test_a_file_that_cannot_be_used(
    start: Open, tmp_path: Path, text: str, error: type[ChatError], says: str
) -> None:
    (tmp_path / "analysis.replay.json").write_text(text)
    with pytest.raises(error, match=says):
        await start("auto").ask("one")


async def test_a_file_that_cannot_be_written(start: Open, tmp_path: Path) -> None:
    notebook = start("auto")
    notebook.replay.switch("auto", str(tmp_path / "nowhere" / "x.json"))
    with pytest.raises(Unavailable, match="cannot be written"):
        await notebook.ask("one")


async def test_a_conversation_from_elsewhere_cannot_be_replayed(start: Open) -> None:
    with pytest.raises(InvalidRequest, match="leave -c out"):
        await start("auto").ask("one", conversation="mine")


async def test_off_records_nothing(start: Open, tmp_path: Path) -> None:
    await start("off").ask("one")
    assert not (tmp_path / "analysis.replay.json").exists()


async def test_no_such_mode(start: Open) -> None:
    with pytest.raises(InvalidRequest, match="Write one of off, auto, only, refresh"):
        await start("always").ask("one")  # type: ignore[arg-type]  # it is none
