"""`chat` and `chat.map` in real kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.notebooks.conftest import Kernel, StartKernel

LABEL = "from typing import Literal\nLabel = Literal['good', 'bad']\nimport pandas as pd\n"


@pytest.fixture
def python(start_kernel: StartKernel) -> Kernel:
    """A kernel in which nothing but the function was imported."""
    kernel = start_kernel(BESTCHAT_DEFAULT_MODEL="scripted/labels")
    assert kernel.run(f"{LABEL}from bestchat_kernel import chat").ok
    return kernel


def test_each_question_stands_alone(python: Kernel) -> None:
    assert python.run("chat('count').text").value == "'messages: 1'"
    assert python.run("chat('count').text, chat('hi').model").value == (
        "('messages: 1', 'scripted/labels')"
    )
    assert python.run("chat('hi @x {y} {{ z }}').text").value == "'heard: hi @x {y} {{ z }}'"
    rows = python.rows("SELECT title, archived FROM conversations")
    assert [(row["title"], bool(row["archived"])) for row in rows] == [("chat()", True)]


def test_a_schema_gives_a_value_after_one_repair(python: Kernel) -> None:
    assert python.run("chat('what?', schema=Label)").value == "'good'"
    assert python.run("chat('unsure', schema=Label)").value == "'bad'"


def test_it_can_be_awaited(python: Kernel) -> None:
    code = "import asyncio\nboth = await asyncio.gather(chat.start('a'), chat.start('b'))"
    assert python.run(code).ok
    assert python.run("[it.text for it in both]").value == "['heard: a', 'heard: b']"


def test_a_failure_is_one_line(python: Kernel) -> None:
    ran = python.run("chat('x', model='openai/gpt-5')")
    assert ran.error["ename"] == "ChatFailed"
    assert ran.error["traceback"][0].startswith("missing_key: ")
    assert "The schema cannot be used" in python.run("chat('x', schema=3)").error["evalue"]


def test_a_column_of_a_thousand_with_errors_in_their_rows(python: Kernel) -> None:
    code = (
        "texts = pd.Series([f'text {n}' for n in range(1000)], index=range(5, 1005), name='t')\n"
        "texts[7] = 'broken'\n"
        "labels = chat.map(texts, 'Label this.', schema=Label)"
    )
    ran = python.begin(code).end(seconds=100)
    assert ran.ok
    last = ran.shown[-1].content["data"]["text/plain"]
    assert last == "999 of 1,000 values answered, 1 failed; 2,997 tokens in, 999 out"
    assert python.run("labels.index.equals(texts.index), labels.name").value == "(True, 't')"
    assert python.run("[(i, x) for i, x in labels.items() if x != 'good'][0][0]").value == "7"
    assert python.run("type(labels[7]).__name__, labels[7].error.info.code").value == (
        "('ChatFailed', 'content_refused')"
    )
    assert python.rows("SELECT count(*) AS n FROM turns") == [{"n": 1000}]
    assert len(python.rows("SELECT id FROM conversations")) == 8


def test_results_are_in_order_and_a_list_stays_a_list(python: Kernel) -> None:
    ran = python.run("found = chat.map((str(n) for n in range(30)), lambda v: f'say {v}')")
    assert ran.ok
    assert python.run("found == [f'heard: say {n}' for n in range(30)]").value == "True"
    assert python.run("chat.map([], 'x')").value == "[]"


def test_what_fails_for_all_is_raised_once(python: Kernel) -> None:
    ran = python.run("chat.map(['a', 'b'], 'x', model='openai/gpt-5')")
    assert ran.error["traceback"][0].startswith("missing_key: ")
    ran = python.run("chat.map(['a', 'b'], 'x', max_cost=1)")
    assert "`max_cost` cannot be kept" in ran.error["evalue"]


@pytest.mark.parametrize("code", ["chat.map(['endless'] * 3, str)", "chat('endless')"])
def test_stop_stops_the_turns_as_well(python: Kernel, code: str) -> None:
    running = python.begin(code)
    python.until_turns("running", 3 if "map" in code else 1)
    python.manager.interrupt_kernel()
    assert not running.end().ok
    python.until_turns("running", 0)
    states = {row["state"] for row in python.rows("SELECT state FROM turns")}
    assert states == {"cancelled"}
    assert python.run("chat('hi').text").value == "'heard: hi'"


def test_an_interrupted_column_goes_on_where_it_was(start_kernel: StartKernel) -> None:
    environ = {"BESTCHAT_DEFAULT_MODEL": "scripted/labels", "BESTCHAT_REPLAY": "auto"}
    kernel = start_kernel(**environ, BESTCHAT_REPLAY_FILE="column.json")
    code = (
        f"{LABEL}from bestchat_kernel import chat\n"
        "labels = chat.map(range(300), 'Label this.', schema=Label, concurrency=2)"
    )
    running = kernel.begin(code)
    running.until(lambda ran: any(" of 300 values" in str(it.content) for it in ran.shown))
    kernel.manager.interrupt_kernel()
    ran = running.end()
    assert ran.error["traceback"][0].startswith("Stopped: ")
    assert kernel.run("from bestchat_kernel.process import replay").ok
    asked = kernel.rows("SELECT count(*) AS n FROM turns WHERE state = 'finished'")[0]["n"]
    assert 0 < asked < 300
    assert kernel.begin(code).end(seconds=60).ok
    assert kernel.run("set(map(str, labels))").value == "{'good'}"
    # What was in flight when it was stopped may be asked twice.
    assert kernel.rows("SELECT count(*) AS n FROM turns")[0]["n"] <= 300 + 4


@pytest.fixture
def priced(start_kernel: StartKernel, till: dict[str, str], tmp_path: Path) -> Kernel:
    """A kernel whose model has a price."""
    kernel = start_kernel(
        **till,
        BESTCHAT_REPLAY="auto",
        BESTCHAT_REPLAY_FILE=str(tmp_path / "column.json"),
    )
    assert kernel.run(f"{LABEL}from bestchat_kernel import chat").ok
    return kernel


def mapped(kernel: Kernel, limit: str, *, concurrency: int = 1) -> str:
    """Map ten values with a limit; gives the last line."""
    ran = kernel.run(
        f"found = chat.map(range(10), str, max_cost={limit}, concurrency={concurrency})"
    )
    assert ran.ok, ran.reply
    return str(ran.shown[-1].content["data"]["text/plain"])


def asked(kernel: Kernel) -> int:
    return int(kernel.rows("SELECT count(*) AS n FROM turns")[0]["n"])


def test_a_limit_of_cost_stops_and_can_be_raised(priced: Kernel) -> None:
    assert mapped(priced, "1.2") == (
        "3 of 10 values answered, 7 not asked within $1.2; 1,500 tokens in, 1,500 out"
    )
    assert asked(priced) == 3
    assert priced.run("found[:3]").value == "['heard', 'heard', 'heard']"
    assert priced.run("{type(it).__name__ for it in found[3:]}").value == "{'ChatFailed'}"
    assert priced.run("found[3].error.info.code").value == "'limit_reached'"
    assert "was not asked about within $1.2. Map it again with a higher" in (
        priced.run("str(found[3])").value
    )
    # Again with the same limit: nothing is lost, and nothing is spent.
    assert mapped(priced, "'1.2'").startswith("3 of 10 values answered, 7 not asked")
    assert mapped(priced, "0.00001").startswith(
        "3 of 10 values answered, 7 not asked within $0.00001;"
    )
    assert asked(priced) == 3
    # With a higher one it goes on where it was: what was spent before counts.
    assert mapped(priced, "2").startswith("4 of 10 values answered, 6 not asked within $2;")
    assert asked(priced) == 4
    assert mapped(priced, "100") == "10 of 10 values answered; 5,000 tokens in, 5,000 out"
    assert asked(priced) == 10
    assert priced.run("set(found)").value == "{'heard'}"


def test_a_replay_of_a_limit_says_the_same(
    priced: Kernel, start_kernel: StartKernel, tmp_path: Path
) -> None:
    file = tmp_path / "column.json"
    told, errors = mapped(priced, "1.2"), priced.run("[str(it) for it in found]").value
    assert "limit_reached" not in file.read_text()
    replaying = start_kernel(
        BESTCHAT_REPLAY="only",
        BESTCHAT_REPLAY_FILE=str(file),
        BESTCHAT_DATA_DIR=str(tmp_path / "nothing"),
    )
    assert replaying.run("from bestchat_kernel import chat").ok
    assert mapped(replaying, "1.2", concurrency=4) == told
    assert replaying.run("[str(it) for it in found]").value == errors
    assert replaying.run("found[3].error.info.code").value == "'limit_reached'"
    # Whatever the limit: what was never recorded is no answer, and without one it is an error.
    assert mapped(replaying, "100").startswith("3 of 10 values answered, 7 not asked within $100;")
    for call in ("chat.map(range(10), str)", "chat.map(['new'], str, max_cost=9)"):
        assert "is not recorded" in replaying.run(call).error["evalue"]
    assert not (tmp_path / "nothing").exists()


def test_what_is_on_its_way_still_comes(priced: Kernel) -> None:
    told = mapped(priced, "0.5", concurrency=4)
    answered = asked(priced)
    assert 1 <= answered <= 4
    assert told.startswith(f"{answered} of 10 values answered, {10 - answered} not asked")
