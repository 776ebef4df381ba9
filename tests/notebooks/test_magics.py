"""`%%chat` in real kernels, each with the services in its own process."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bestchat_server_ext.api import conversations
from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.ids import ConversationId

if TYPE_CHECKING:
    from tests.notebooks.conftest import Kernel, Ran, StartKernel


def one_line(ran: Ran) -> str:
    """The line that a failed cell shows: in `evalue`, and alone in `traceback`."""
    assert ran.reply["status"] == "error"
    assert "\n" not in ran.error["evalue"]
    (line,) = ran.error["traceback"]
    assert line.removesuffix(ran.error["evalue"]).count(" ") <= 1
    assert line.endswith(ran.error["evalue"])
    return str(ran.error["evalue"])


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Look at the database until it is as it should be: other processes send no events."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


# An answer.


def test_an_answer_streams_into_one_display(shared: Kernel) -> None:
    ran = shared.run("%%chat --new\nstream please")
    assert ran.ok
    assert [shown.update for shown in ran.shown] == [False] + [True] * (len(ran.shown) - 1)
    assert len({shown.content["transient"]["display_id"] for shown in ran.shown}) == 1
    texts = [shown.markdown for shown in ran.shown]
    assert len(texts) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert texts[-1].endswith("the end.\n\n*— scripted/magics · script*")
    assert ran.shown[-1].content["metadata"]["bestchat"] == {
        "model": "scripted/magics",
        "usage": {"input_tokens": 11, "output_tokens": 22},
    }


def test_at_most_fifty_updates_in_any_second(shared: Kernel) -> None:
    ran = shared.run("%%chat --new\npour please")
    assert ran.ok
    moments = [shown.at for shown in ran.shown]
    assert len(moments) > 10
    # What was sent one after the other may arrive together, but not by this much.
    busiest = max(sum(begin <= moment < begin + 1 for moment in moments) for begin in moments)
    assert busiest <= 55
    assert ran.answer.count("x") == 400


def test_the_model_that_was_named_answers(shared: Kernel) -> None:
    assert shared.ask("%%chat --new -m scripted/other\nhello") == "the other one"
    ran = shared.run("%%chat -m scripted/other\nhello")
    assert ran.answer.endswith("*— scripted/other · script*")


def test_the_answer_goes_into_a_variable(shared: Kernel) -> None:
    assert shared.run("%%chat --new --out answer\ncode please").ok
    assert shared.run("answer.code").value == "['x = 1', 'y = 2']"
    assert shared.run("answer.text").value.startswith("'Here:\\n\\n```python\\nx = 1")
    assert shared.run("str(answer) == answer.text").value == "True"
    assert shared.run("answer.model").value == "'scripted/magics'"
    assert shared.run("answer.usage.output_tokens > 0").value == "True"
    turn = shared.turn()
    kept = shared.run("answer.conversation_id + ' ' + answer.turn_id").value.replace("-", "")
    assert kept == f"'{turn['conversation_id']} {turn['id']}'"


def test_a_failed_cell_leaves_the_variable_alone(shared: Kernel) -> None:
    shared.run("kept = 1")
    assert not shared.run("%%chat --new --out kept\nbreak it").ok
    assert shared.run("kept").value == "1"


def test_help_lists_the_options_and_sends_nothing(shared: Kernel) -> None:
    before = len(shared.said())
    for code in ("%%chat -h", "%%chat --help\nthis is not sent"):
        ran = shared.run(code)
        assert ran.ok
        assert "--out NAME" in ran.stdout
    assert len(shared.said()) == before


def test_status(shared: Kernel) -> None:
    ran = shared.run("%chat status")
    assert ran.ok
    assert ran.stdout == shared.run("%chat").stdout
    rows = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines())
    facts = ["door", "place", "owner", "model", "conversation"]
    assert list(rows) == [*facts, "data_dir", "default_model", "scripts_dir"]
    assert (rows["door"], rows["model"]) == ("in-process", "scripted/magics")


# What is sent.


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        # All on the line, without a body.
        ("%%chat why is this slow?", "why is this slow?"),
        ("%%chat why is this slow?\n", "why is this slow?"),
        ("\n\n%%chat why is this slow?", "why is this slow?"),
        ("  %%chat why is this slow?", "why is this slow?"),
        ("%%chat ?", "?"),
        ("%%chat what does print?? do??", "what does print?? do??"),
        ("%%chat $here {here} {{here}} $$", "$here {here} {{here}} $$"),
        ("%%chat !ls", "!ls"),
        ('%%chat it\'s "so" \\n C:\\temp\\ ', 'it\'s "so" \\n C:\\temp\\'),
        ("%%chat -- -m is an option?", "-m is an option?"),
        ("%%chat line\n\nbody", "line\n\nbody"),
        # In the body.
        ("%%chat\nwhy is this slow?", "why is this slow?"),
        ("%%chat\n$here and {here}\n!ls\n%time x\nlen?", "$here and {here}\n!ls\n%time x\nlen?"),
        ("%%chat\n%%time\nx", "%%time\nx"),
        ("%%chat\n>>> here = 1\n>>> here\n1", ">>> here = 1\n>>> here\n1"),
        ("%%chat\nIn [1]: here\nOut[1]: 1", "In [1]: here\nOut[1]: 1"),
        ("%%chat\n    def f():\n        pass", "    def f():\n        pass"),
        ("%%chat\n'''\"\"\"\\\n\\'", "'''\"\"\"\\\n\\'"),
        ("%%chat\n日本語 — 😀 \u00a0x\ttab", "日本語 — 😀 \u00a0x\ttab"),
        ("%%chat\r\none\r\ntwo", "one\r\ntwo"),
    ],
)
def test_nothing_touches_the_text(shared: Kernel, code: str, sent: str) -> None:
    shared.run("here = 'expanded'")
    assert shared.run(code).ok
    assert shared.said()[-2:] == [("user", sent), ("assistant", f"heard: {sent}")]


def test_mentions_and_expressions(shared: Kernel) -> None:
    shared.run("prices = {'apple': 3, 'pear': 4}")
    answer = shared.ask("%%chat --new\nHow dear is @prices? The sum is {{ sum(prices.values()) }}.")
    assert answer.startswith("heard: How dear is @prices? The sum is 7.\n")
    assert "Attached variable `prices`" in answer
    assert "'apple': 3" in answer
    raw = "How dear is @prices? The sum is {{ sum(prices.values()) }}."
    assert shared.ask(f"%%chat --raw\n{raw}") == f"heard: {raw}"


def test_an_unknown_mention_is_noted_and_stays_text(shared: Kernel) -> None:
    shared.run("prices = 1")
    ran = shared.run("%%chat --new\nwhat of @price here")
    assert ran.ok
    assert ran.stdout.startswith("note: `@price` is not a variable here and was left as text.")
    assert "`@prices`" in ran.stdout
    assert shared.said()[-2] == ("user", "what of @price here")


def test_ipythons_own_variables_are_not_the_users(shared: Kernel) -> None:
    ran = shared.run("%%chat --new\nwhat of @In and @exit and @_oh here")
    assert "Attached" not in shared.said()[-2][1]
    assert ran.stdout.count("note: ") == 3


def test_what_a_model_says_cannot_act(shared: Kernel) -> None:
    ran = shared.run("%%chat --new --out said\nimage please")
    assert ran.answer.startswith("`<\u200bi>` !\u200b[x](http://attacker.example/?q=1) <\u200bb>bold")
    assert "'`<i>` ![x](http://attacker.example/?q=1) <b>bold</b>'" in shared.run("said.text").value


def test_a_large_prompt(shared: Kernel) -> None:
    text = "0123456789abcde\n" * 65_536
    ran = shared.run(f"%%chat --new -m scripted/count\n{text}")
    assert ran.ok
    assert ran.answer.startswith("1\n")
    assert shared.said()[-2] == ("user", text.strip("\n"))


def test_a_prompt_that_is_too_large_says_so(shared: Kernel) -> None:
    shared.run("get_ipython().run_cell_magic('chat', '', 'x' * 2_000_001)")
    line = one_line(shared.run("get_ipython().run_cell_magic('chat', '', 'x' * 2_000_001)"))
    assert "2000000" in line
    assert shared.ask("%%chat --new\nstill there") == "heard: still there"


# Conversations.


def test_two_cells_are_one_conversation_with_the_notebooks_name(kernel: Kernel) -> None:
    assert kernel.ask("%%chat\none", "a") == "heard: one"
    assert kernel.ask("%%chat\ncount", "b") == "messages: 3"
    (row,) = kernel.rows("SELECT title, label FROM conversations")
    assert row == {"title": "one", "label": "work/analysis.ipynb"}


def test_each_kernel_begins_a_new_one_and_can_go_on_with_another(
    start_kernel: StartKernel,
) -> None:
    first = start_kernel().load()
    first.ask("%%chat\nthe first")
    second = start_kernel().load()
    assert second.ask("%%chat\ncount") == "messages: 1"
    assert len(first.rows("SELECT id FROM conversations")) == 2
    assert second.ask("%%chat -c 'the first'\ncount") == "messages: 3"
    # From now on it is the kernel's own.
    assert second.ask("%%chat\ncount again") == "messages: 5"
    assert second.ask("%%chat --new\ncount anew") == "messages: 1"
    status = dict(line.split(maxsplit=1) for line in first.run("%chat").stdout.splitlines())
    conversation = status["conversation"].split()[0]
    assert second.ask(f"%%chat -c {conversation}\ncount") == "messages: 7"
    line = one_line(second.run("%%chat -c nothing-like-it\ncount"))
    assert "No conversation has the title 'nothing-like-it'" in line


def test_a_cell_that_runs_again_does_not_see_its_former_run(kernel: Kernel) -> None:
    kernel.ask("%%chat\none", "a")
    assert kernel.ask("%%chat\ncount", "b") == "messages: 3"
    assert kernel.ask("%%chat\ncount", "b") == "messages: 3"
    # The text may have been edited in between: the cell is the same.
    assert kernel.ask("%%chat\ncount once more", "b") == "messages: 3"
    assert len(kernel.said()) == 8


def test_a_chain_that_runs_again_is_a_new_branch(kernel: Kernel) -> None:
    cells = [("one", "a"), ("two", "b"), ("count", "c")]
    for _ in range(3):
        answers = [kernel.ask(f"%%chat\n{text}", cell) for text, cell in cells]
        assert answers == ["heard: one", "heard: two", "messages: 5"]
    assert len(kernel.said()) == 18
    assert kernel.rows("SELECT count(*) AS n FROM messages WHERE parent_id IS NULL") == [{"n": 3}]


def test_run_all_where_cells_have_no_names(kernel: Kernel) -> None:
    for _ in range(2):
        assert kernel.ask("%%chat\none") == "heard: one"
        assert kernel.ask("%%chat\ncount") == "messages: 3"
        assert kernel.ask("%%chat\ncount") == "messages: 5"


async def test_what_was_said_can_be_read_by_other_faces(kernel: Kernel) -> None:
    kernel.ask("%%chat --out answer\none", "a")
    kernel.ask("%%chat\ntwo", "a")
    key = ConversationId(kernel.run("answer.conversation_id").value.strip("'"))
    application = await open_application({"BESTCHAT_DATA_DIR": str(kernel.data_dir)})
    client = InProcessClient(application)
    state = await client.call(conversations.get, conversations.GetConversation(key))
    assert [message.text for message in state.messages.values()] == [
        "one",
        "heard: one",
        "two",
        "heard: two",
    ]
    assert [turn.state for turn in state.turns.values()] == ["finished", "finished"]
    await client.close()


# Failure.

FAILURES = {
    "missing key": ("%%chat -m openai/gpt-5\nhi", "MissingKey", "OPENAI_API_KEY"),
    "unknown provider": ("%%chat -m nobody/x\nhi", "UnknownProvider", "'nobody'"),
    "no model of that name": ("%%chat -m scripted/none\nhi", "ModelNotFound", "'none'"),
    "no reference": ("%%chat -m gpt\nhi", "InvalidRequest", "provider/model"),
    "bad option": ("%%chat --modle x\nhi", "InvalidRequest", "Did you mean --model?"),
    "missing value": ("%%chat --out\nhi", "InvalidRequest", "--out needs a value"),
    "no variable": ("%%chat --out 1x\nhi", "InvalidRequest", "'1x'"),
    "nothing to ask": ("%%chat", "InvalidRequest", "nothing to ask"),
    "no body": ("%%chat\n   \n", "InvalidRequest", "nothing to ask"),
    "no such verb": ("%chat hello", "InvalidRequest", "%chat ask"),
    "expression": ("%%chat\n{{ 1 / 0 }}", "PromptError", "ZeroDivisionError: division by zero"),
    "provider": ("%%chat\nrefuse", "ContentRefused", "failed on purpose"),
}


@pytest.mark.parametrize(("code", "error", "says"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_one_line_and_the_kernel_goes_on(
    shared: Kernel, code: str, error: str, says: str
) -> None:
    ran = shared.run(code)
    assert says in one_line(ran)
    assert ran.error["ename"] == "ChatFailed"
    caught = shared.run(
        "from bestchat_kernel.failure import ChatFailed\n"
        f"try:\n    get_ipython().run_cell({code!r}, silent=True).raise_error()\n"
        "except ChatFailed as failed:\n    print(type(failed.error).__name__)"
    )
    assert caught.stdout.splitlines()[-1] == error
    assert shared.ask("%%chat --new\nstill there") == "heard: still there"


def test_without_any_model_it_names_three_ways(start_kernel: StartKernel) -> None:
    kernel = start_kernel(BESTCHAT_DEFAULT_MODEL="").load()
    line = one_line(kernel.run("%%chat\nhi"))
    for way in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "bestchat models add smollm2-135m"):
        assert way in line
    assert kernel.rows("SELECT id FROM messages") == []
    # Once a model was chosen, it is the default.
    assert kernel.ask("%%chat -m scripted/magics\nhi") == "heard: hi"
    assert kernel.ask("%%chat\nhi") == "heard: hi"


def test_a_failure_in_the_middle_keeps_and_shows_what_had_arrived(kernel: Kernel) -> None:
    ran = kernel.run("%%chat\nbreak it")
    assert one_line(ran) == "The model is busy."
    assert ran.error["traceback"] == ["rate_limited: The model is busy."]
    assert ran.answer == "Half an answer\n\n*— scripted/magics · script · failed*"
    assert kernel.said()[-1] == ("assistant", "Half an answer")
    assert kernel.turn()["state"] == "failed"
    assert kernel.ask("%%chat\ncount") == "messages: 3"


def test_run_all_stops_at_a_failure(kernel: Kernel) -> None:
    failing = kernel.begin("%%chat -m openai/gpt-5\nhi")
    following = kernel.begin("print('ran')")
    assert not failing.end().ok
    assert following.end().reply["status"] in {"aborted", "error"}


def test_a_folder_that_cannot_be_used(start_kernel: StartKernel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kernel = start_kernel(BESTCHAT_DATA_DIR=str(tmp_path / "file" / "data")).load()
    assert str(tmp_path / "file") in one_line(kernel.run("%%chat\nhi"))
    # The way is cleared, and nothing has to be started again.
    (tmp_path / "file").unlink()
    assert kernel.ask("%%chat\nhi") == "heard: hi"


def test_half_an_address(start_kernel: StartKernel) -> None:
    kernel = start_kernel(BESTCHAT_URL="http://127.0.0.1:1/").load()
    assert "BESTCHAT_TOKEN is missing" in one_line(kernel.run("%%chat\nhi"))


def test_an_address_that_does_not_answer_is_no_reason_to_go_another_way(
    start_kernel: StartKernel,
) -> None:
    kernel = start_kernel(BESTCHAT_URL="http://127.0.0.1:1/", BESTCHAT_TOKEN="bct_x").load()
    line = one_line(kernel.run("%%chat\nhi"))
    assert "http://127.0.0.1:1/bestchat/api/ cannot be reached" in line
    assert not (kernel.data_dir / "bestchat.sqlite3").exists()


# Stopping.


def interrupted(kernel: Kernel, cell: str, *, times: int = 1) -> Ran:
    """Run a cell that never ends, and stop it when something has arrived."""
    running = kernel.begin("%%chat\nhang on", cell)
    running.until(lambda ran: bool(ran.shown))
    begun = time.monotonic()
    for _ in range(times):
        kernel.manager.interrupt_kernel()
    ran = running.end()
    assert time.monotonic() - begun < 1
    return ran


@pytest.mark.parametrize("times", [1, 3])
def test_an_interrupt_ends_the_turn_and_keeps_what_had_arrived(kernel: Kernel, times: int) -> None:
    ran = interrupted(kernel, "a", times=times)
    assert one_line(ran) == "Stopped. What had arrived is kept."
    assert ran.answer == "This much had arrived\n\n*— scripted/magics · script · stopped*"
    assert kernel.turn()["state"] == "cancelled"
    assert kernel.said() == [("user", "hang on"), ("assistant", "This much had arrived")]
    assert kernel.ask("%%chat\ncount", "b") == "messages: 3"


def test_two_interrupts_in_a_row(kernel: Kernel) -> None:
    for _ in range(2):
        assert one_line(interrupted(kernel, "a")) == "Stopped. What had arrived is kept."
    assert [row["state"] for row in kernel.rows("SELECT state FROM turns")] == ["cancelled"] * 2
    assert kernel.ask("%%chat\ncount", "a") == "messages: 1"


def test_an_interrupt_before_anything_has_arrived(kernel: Kernel) -> None:
    running = kernel.begin("%%chat\nsilence")
    eventually(lambda: bool(kernel.turn()))
    kernel.manager.interrupt_kernel()
    ran = running.end()
    assert one_line(ran) == "Stopped. What had arrived is kept."
    assert ran.shown == []
    assert kernel.turn()["state"] == "cancelled"
    assert kernel.ask("%%chat\nstill there") == "heard: still there"


# The end of a kernel.


def test_shutting_a_kernel_down_ends_its_turn(kernel: Kernel) -> None:
    kernel.begin("%%chat\nhang on").until(lambda ran: bool(ran.shown))
    kernel.manager.shutdown_kernel()
    # Jupyter interrupts a kernel first when it shuts it down.
    assert kernel.turn()["state"] == "cancelled"
    assert kernel.said()[-1] == ("assistant", "This much had arrived")


def test_a_process_that_ends_closes_its_turn(kernel: Kernel) -> None:
    code = (
        "import threading\n"
        "ask = lambda: get_ipython().run_cell_magic('chat', '', 'hang on')\n"
        "threading.Thread(target=ask, daemon=True).start()"
    )
    assert kernel.run(code).ok
    eventually(lambda: bool(kernel.partial()))
    kernel.manager.request_shutdown()
    kernel.manager.finish_shutdown(waittime=10)
    assert kernel.turn()["state"] == "interrupted"
    assert kernel.said()[-1] == ("assistant", "This much had arrived")


async def test_a_kernel_that_is_killed_leaves_a_turn_that_others_close(kernel: Kernel) -> None:
    kernel.begin("%%chat\nhang on").until(lambda ran: bool(ran.shown))
    eventually(lambda: bool(kernel.partial()))
    kernel.manager.signal_kernel(signal.SIGKILL)
    turn = kernel.turn()
    assert turn["state"] == "running"
    until = datetime.fromisoformat(turn["lease_until"]).replace(tzinfo=UTC)
    assert until - datetime.now(UTC) <= timedelta(seconds=10)
    kernel.expire_lease()
    application = await open_application({"BESTCHAT_DATA_DIR": str(kernel.data_dir)})
    async with asyncio.timeout(10):
        while kernel.turn()["state"] == "running":  # noqa: ASYNC110  another process sets no event
            await asyncio.sleep(0.02)
    assert kernel.turn()["state"] == "interrupted"
    assert kernel.said()[-1] == ("assistant", "This much had arrived")
    await application.close()


# Loading.


def test_loading_twice_and_again_keeps_the_conversation(kernel: Kernel) -> None:
    kernel.ask("%%chat\none")
    again = kernel.run("%load_ext bestchat_kernel")
    assert again.ok
    assert "already loaded" in again.stdout
    assert kernel.ask("%%chat\ncount") == "messages: 3"
    assert kernel.run("%reload_ext bestchat_kernel").ok
    assert kernel.ask("%%chat\ncount again?") == "messages: 5"
    assert len(kernel.rows("SELECT id FROM conversations")) == 1


def test_unloading_takes_the_magics_away(kernel: Kernel) -> None:
    assert kernel.run("%unload_ext bestchat_kernel").ok
    assert "not found" in kernel.run("%%chat\nhello").stderr
    assert kernel.run("get_ipython().input_transformers_cleanup").value.count("verbatim") == 0
    assert kernel.run("%load_ext bestchat_kernel").ok
    assert kernel.ask("%%chat\nhello") == "heard: hello"


def test_loading_is_not_felt(start_kernel: StartKernel) -> None:
    kernel = start_kernel()
    code = (
        "import sys\nbefore = set(sys.modules)\n%load_ext bestchat_kernel\n"
        "heavy = {'aiohttp', 'sqlalchemy', 'alembic', 'pydantic', 'jupyter_server', 'pandas'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    assert kernel.run(code).stdout == "[]\n"


# Terminals.


def terminal(environ: dict[str, str], typed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"],
        input=typed,
        capture_output=True,
        text=True,
        env=environ,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_a_terminal_prints_text_and_no_markup(clean: dict[str, str]) -> None:
    typed = (
        "%load_ext bestchat_kernel\n"
        "%%chat\nstream please\nover two lines\n\n\n"
        "%%chat why is this slow?\n\n\n"
        "%%chat -m openai/x\nhi\n\n\n"
        "print('go' + 'ing on')\n"
    )
    said = terminal(clean, typed)
    assert "ten alpha beta gamma delta epsilon zeta eta theta the end.\n\n— scripted" in said
    assert said.count("alpha") == 1
    assert "heard: why is this slow?\n\n— scripted/magics · script\n" in said
    assert "missing_key: The provider 'openai' has no key. Set OPENAI_API_KEY" in said
    assert "Traceback" not in said
    assert "going on" in said
    assert "*—" not in said


def test_a_plain_shell_in_a_script(clean: dict[str, str]) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'bestchat_kernel')\n"
        "shell.run_cell('%%chat --out x\\nhello').raise_error()\n"
        "shell.run_cell('print(repr(x.text))')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=clean,
        timeout=60,
        check=True,
    )
    assert done.stdout == "heard: hello\n\n— scripted/magics · script\n'heard: hello'\n"
