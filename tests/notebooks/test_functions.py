"""`chat` and `chat.map` in real kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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
