"""The BestChat kernel: a cell is a message."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import nbformat
import jupyter_kernel_test
import pexpect
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

if TYPE_CHECKING:
    from tests.notebooks.conftest import Kernel, StartKernel


@pytest.fixture
def chat(start_kernel: StartKernel) -> Kernel:
    return start_kernel("bestchat")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, kernel_at: Any) -> Iterator[Kernel]:
    kernel = kernel_at(tmp_path_factory.mktemp("chat"), "bestchat")
    yield kernel
    kernel.close()


def turns(kernel: Kernel) -> int:
    return len(kernel.rows("SELECT id FROM turns"))


# What a cell is.


def test_a_message_streams_as_markdown(chat: Kernel) -> None:
    ran = chat.run("stream something")
    assert ran.ok
    assert len(ran.shown) > 2
    assert ran.answer.startswith("one two three")
    assert ran.answer.endswith("*— scripted/magics · script*")
    assert ran.shown[-1].content["metadata"]["bestchat"]["usage"]["input_tokens"] == 11
    assert chat.ask("count them") == "messages: 3"


def test_python_runs_beside_it(chat: Kernel) -> None:
    assert chat.run("%%python\nx = 20\nx * 2 + 2").value == "42"
    assert chat.run("%%python\nawait __import__('asyncio').sleep(0, 7)").value == "7"
    assert "out of the shell" in chat.run("!echo out of the shell").stdout
    assert "x" in chat.run("%who").stdout
    assert chat.run("%%python\nprint('%d' % x)").stdout == "20\n"
    failed = chat.run("%%python\nx\n1 / 0")
    assert failed.error["ename"] == "ZeroDivisionError"
    assert "line 2" in "".join(failed.error["traceback"])
    assert turns(chat) == 0


def test_bodies_of_magics_are_python(chat: Kernel) -> None:
    assert chat.run("%%time\nx = 40 + 2").ok
    assert chat.run("%%capture kept\nprint(x)").ok
    assert chat.run("%%python\nkept.stdout").value == "'42\\n'"
    assert chat.run("%%python\nget_ipython().run_cell('y = 3')\ny").ok
    assert turns(chat) == 0


def test_first_cells_that_are_python_are_not_sent(chat: Kernel) -> None:
    for code in ("import pandas as pd", "x = 1\nprint(x)"):
        ran = chat.run(code)
        assert ran.ok
        assert "not sent" in ran.answer
        assert "`%%python`" in ran.answer
    assert turns(chat) == 0
    assert chat.ask("%%message\nx = 1") == "heard: x = 1"
    # Later ones may well be meant: somebody shows code.
    assert chat.ask("x = 2") == "heard: x = 2"


def test_what_front_ends_run_behind_the_scenes_is_python(chat: Kernel) -> None:
    chat.client.execute_interactive("hidden = 3", silent=True, timeout=20)
    assert chat.run("%%python\nhidden").value == "3"
    assert turns(chat) == 0


def test_a_variable_can_be_mentioned(chat: Kernel) -> None:
    chat.run("%%python\nprices = {'tea': 3}")
    said = chat.ask("Which is cheap? @prices")
    assert said.startswith("heard: Which is cheap? @prices")
    assert "{'tea': 3}" in said
    assert chat.ask("It costs {{ prices['tea'] }}") == "heard: It costs 3"


def test_cells_results_errors_and_files_can_be_mentioned(chat: Kernel) -> None:
    assert chat.run("%%python\n6 * 7").value == "42"
    said = chat.ask("see @In[1] and @Out[1]")
    assert "Attached cell `In[1]`:\n```text\n%%python\n6 * 7\n```" in said
    assert "Attached output `Out[1]`:\n```text\nOut[1]: int\n42\n```" in said
    assert "is not a variable" in chat.run("what @error?").stdout
    chat.run("%%python\n1 / 0")
    assert "ZeroDivisionError: division by zero" in chat.ask("what is @error?")
    chat.run("%%python\n_ = open('notes.txt', 'w').write('to do')")
    assert "to do" in chat.ask("read @file:notes.txt.")
    assert "no cell that has run" in chat.run("and @In[99]?").stdout
    assert completed(chat, "read @file:no") == (["file:notes.txt"], "read @")
    assert completed(chat, "see @Out[") == (["Out[1]"], "see @")


def test_secrets_are_not_sent(chat: Kernel) -> None:
    chat.run("%%python\nlogin = {'user': 'ada', 'password': 'hunter2'}")
    ran = chat.run("what is in @login?")
    assert ran.stdout == (
        "note: left out of what is sent: what looks like a secret in `@login`.\n"
    )
    assert "[redacted]" in ran.answer
    assert "hunter2" not in str(chat.said())
    assert "@login  dict, 2 items" in chat.run("/vars").stdout


def test_a_failure_is_one_line(shared: Kernel) -> None:
    error = shared.run("refuse this").error
    assert error["traceback"] == ["content_refused: The script failed on purpose."]


def test_an_interrupt_keeps_what_had_arrived(chat: Kernel) -> None:
    running = chat.begin("hang on")
    running.until(lambda ran: bool(ran.shown))
    began = time.monotonic()
    chat.manager.interrupt_kernel()
    ran = running.end()
    assert time.monotonic() - began < 5
    assert ran.error["traceback"] == ["Stopped. What had arrived is kept."]
    assert ran.answer.startswith("This much had arrived")
    chat.until_turns("cancelled", 1)
    assert chat.ask("count on") == "messages: 3"


# Commands and code.


def test_commands(chat: Kernel) -> None:
    assert "/export" in chat.run("/help").stdout
    assert "door" in chat.run("/status").stdout
    assert "Did you mean /model?" in chat.run("/modle x").error["evalue"]
    assert chat.run("/model scripted/count").ok
    assert chat.ask("anything") == "1"
    assert chat.run("/new").stdout == "The next message begins a new conversation.\n"
    assert chat.ask("anything") == "1"
    assert "you:\nanything" in chat.run("/history").stdout


def test_the_last_error_can_be_asked_about(chat: Kernel) -> None:
    chat.run("%%python\nprices = [1, 2]\nprices[5]")
    assert chat.ask("hello") == "heard: hello"
    said = chat.ask("/fix")
    assert "IndexError: list index out of range" in said
    assert "prices[5]" in said


def test_code_of_an_answer_runs(chat: Kernel) -> None:
    nothing = chat.run("%run_code")
    assert "There is no answer above" in nothing.error["evalue"]
    chat.run("code, please")
    assert chat.run("%run_code 2").ok
    assert "NameError" in chat.run("%%python\nx").error["ename"]
    assert chat.run("%run_code").ok
    assert chat.run("%%python\nx, y").value == "(1, 2)"
    assert "It has 2" in chat.run("%run_code 3").error["evalue"]
    assert chat.run("%%python\ndel x\n%run_code 1\nx").value == "1"
    assert not chat.run("refuse this").ok
    assert "There is no answer above" in chat.run("%run_code").error["evalue"]


# Again.


def test_a_restart_keeps_the_conversation(chat: Kernel) -> None:
    assert chat.ask("count one", "a") == "messages: 1"
    chat.restart()
    assert chat.ask("count two", "b") == "messages: 3"
    assert len(chat.rows("SELECT id FROM conversations")) == 1


@pytest.mark.parametrize("ids", [("a", "b", "c"), (None, None, None)])
def test_unchanged_cells_show_what_is_stored(chat: Kernel, ids: tuple[str | None, ...]) -> None:
    sources = ["count one", "%%python\nx = 1", "count @x", "count three"]
    cells = [ids[0], "p" if ids[0] else None, *ids[1:]]
    asked = [chat.run(*cell) for cell in zip(sources, cells, strict=True)]
    assert turns(chat) == 3
    for _ in range(2):
        chat.restart()
        stored = [chat.run(*cell) for cell in zip(sources, cells, strict=True)]
        assert turns(chat) == 3
        for before, after in zip(asked, stored, strict=True):
            if before.shown:
                assert after.answer.partition("\n\n*—")[0] == before.answer.partition("\n\n*—")[0]
                assert "stored; %again asks anew" in after.answer
    # What a mention brings has changed: it is asked, and so is what follows it.
    chat.restart()
    sources[1] = "%%python\nx = 2"
    changed = [chat.run(*cell) for cell in zip(sources, cells, strict=True)]
    assert "stored" in changed[0].answer
    assert turns(chat) == 5
    assert changed[3].answer.startswith("messages: 5")


def test_again_asks_anew_in_the_same_place(chat: Kernel) -> None:
    assert "no message to ask again" in chat.run("%again").error["evalue"]
    chat.run("count one", "a")
    chat.run("count two", "b")
    chat.restart()
    assert "stored" in chat.run("count one", "a").answer
    assert "stored" in chat.run("count two", "b").answer
    assert chat.ask("%again", "c") == "messages: 3"
    assert turns(chat) == 3
    chat.restart()
    chat.run("count one", "a")
    ran = chat.run("%again\ncount two", "b")
    assert ran.answer == "messages: 3\n\n*— scripted/magics · script*"
    assert turns(chat) == 4


def test_an_edited_cell_is_asked_in_its_place(chat: Kernel) -> None:
    chat.run("count one", "a")
    chat.run("count two", "b")
    chat.restart()
    assert chat.ask("count another", "a") == "messages: 1"
    assert chat.ask("count two", "b") == "messages: 3"
    assert turns(chat) == 4


def test_cells_behind_new_find_their_conversation_again(chat: Kernel) -> None:
    cells = [("count one", "a"), ("/new", "n"), ("count two", "b")]
    assert [chat.run(*cell).ok for cell in cells] == [True] * 3
    chat.restart()
    ran = [chat.run(*cell) for cell in cells]
    assert "stored" in ran[0].answer
    assert ran[2].answer.startswith("messages: 1")
    assert "stored" in ran[2].answer
    assert turns(chat) == 2


def test_a_stopped_or_failed_answer_is_asked_again(chat: Kernel) -> None:
    assert not chat.run("refuse this", "a").ok
    chat.restart()
    assert not chat.run("refuse this", "a").ok
    assert turns(chat) == 2


def test_another_start_begins_another_conversation(start_kernel: StartKernel) -> None:
    first = start_kernel("bestchat")
    assert first.ask("count one", "a") == "messages: 1"
    kept = first.data_dir.parent / "kernel-0" / "jupyter_runtime_dir" / "bestchat"
    assert len(list(kept.iterdir())) == 1
    first.client.shutdown()
    until = time.monotonic() + 20
    while list(kept.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.02)
    second = start_kernel("bestchat")
    assert second.ask("count one", "a") == "messages: 1"
    assert len(second.rows("SELECT id FROM conversations")) == 2


# What front ends ask beside.


def asked(kernel: Kernel, request: str, *args: object) -> dict[str, Any]:
    key = getattr(kernel.client, request)(*args)
    while True:
        reply = kernel.client.get_shell_msg(timeout=20)
        if reply["parent_header"].get("msg_id") == key:
            content: dict[str, Any] = reply["content"]
            return content


def completed(kernel: Kernel, code: str) -> tuple[list[str], str]:
    found = asked(kernel, "complete", code, len(code))
    return found["matches"], code[: found["cursor_start"]]


def test_completion(shared: Kernel) -> None:
    shared.run("%%python\nimport os\nprices, pricey = {'tea': 3}, 2")
    assert completed(shared, "Which of @pri") == (["prices", "pricey"], "Which of @")
    assert completed(shared, "/mo") == (["model"], "/")
    assert completed(shared, "/replay re") == (["refresh"], "/replay ")
    assert completed(shared, "/explain price") == (["prices", "pricey"], "/explain ")
    assert "prices" in completed(shared, "%%python\nx = 1\npric")[0]
    names, head = completed(shared, "%%python\nos.getcw")
    assert ".getcwd" in {name.removeprefix("os") for name in names} or "getcwd" in names
    assert head.startswith("%%python\nos")
    assert "prices" in completed(shared, "They are {{ pric")[0]
    assert any(name.endswith("items") for name in completed(shared, "what does prices.it")[0])
    assert completed(shared, "prose has no compl") == ([], "prose has no compl")
    assert "%%python" in completed(shared, "%%pyth")[0]
    assert "%again" in completed(shared, "%aga")[0]
    assert "--model" in completed(shared, "%%chat --mod")[0]


def test_inspection(shared: Kernel) -> None:
    shared.run("%%python\nlengths = [1, 2, 3]")
    found = asked(shared, "inspect", "how long are @lengths, please?", 18)
    assert "list" in found["data"]["text/plain"]
    assert "lengths" not in asked(shared, "inspect", "/export", 3)["data"]["text/plain"]
    assert asked(shared, "inspect", "%%python\nlen(lengths)", 11)["found"]
    assert not asked(shared, "inspect", "nothing at all", 3)["found"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("What is a list?", "complete"),
        ("Look:\n```python\nx = 1", "incomplete"),
        ("Look:\n```python\nx = 1\n```", "complete"),
        ("%%python", "incomplete"),
        ("%%python\nfor i in x:", "incomplete"),
        ("%%python\nx = 1", "complete"),
        ("%%python\nx = = 1", "invalid"),
        ("%%message", "incomplete"),
        ("%again", "complete"),
        ("/help", "complete"),
        ("!ls", "complete"),
    ],
)
def test_completeness(shared: Kernel, code: str, status: str) -> None:
    assert asked(shared, "is_complete", code)["status"] == status


def test_history(shared: Kernel) -> None:
    shared.run("a message to be found")
    found = asked(shared, "history", True, False, "tail")
    assert "a message to be found" in [item[2] for item in found["history"]]


# Where it runs.


class TestSuite(jupyter_kernel_test.KernelTests):  # type: ignore[misc]  # it has no types
    """Jupyter's own suite for kernels."""

    kernel_name = "bestchat"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "%%python\nprint('hello, world')"
    code_stderr = "%%python\nimport sys\nprint('test', file=sys.stderr)"
    completion_samples: ClassVar = [
        {"text": "/hi", "matches": {"history"}},
        {"text": "%%python\nzi", "matches": {"zip"}},
        {"text": "zi", "matches": {"zip"}},
    ]
    complete_code_samples: ClassVar = ["%%python\n1", "What is it?", "%%python\ndef f(x):\n  x\n\n"]
    incomplete_code_samples: ClassVar = ["%%python\nprint(", "```\nx"]
    invalid_code_samples: ClassVar = ["%%python\nimport = 7q"]
    code_page_something = "zip?"
    code_generate_error = "%%python\nraise"
    code_execute_result: ClassVar = [
        {"code": "%%python\n1+2+3", "result": "6"},
        {"code": "%%python\n[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data: ClassVar = [
        {"code": "a message", "mime": "text/markdown"},
        {
            "code": "%%python\nfrom IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))",
            "mime": "text/html",
        },
    ]
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "*1?2*"
    code_inspect_sample = "zip"
    code_clear_output = "%%python\nfrom IPython.display import clear_output\nclear_output()"

    @classmethod
    def setUpClass(cls) -> None:
        """The fixture starts the kernel, in an environment of its own."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _start(cls, tmp_path_factory: pytest.TempPathFactory, kernel_environment: Any) -> None:
        environ = kernel_environment(tmp_path_factory.mktemp("suite"))
        cls.km, cls.kc = start_new_kernel(kernel_name=cls.kernel_name, env=environ)


def notebook(*sources: str) -> nbformat.NotebookNode:
    made = nbformat.v4.new_notebook()
    made.metadata.kernelspec = {
        "name": "bestchat",
        "display_name": "BestChat",
        "language": "python",
    }
    made.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return made


BAKERY = Path(__file__).parents[2] / "notebooks" / "05_chat_kernel.ipynb"


def test_the_notebook_is_stored_clean() -> None:
    stored = nbformat.read(BAKERY, as_version=4)
    nbformat.validate(stored)
    code = [item for item in stored.cells if item.cell_type == "code"]
    assert all(item.outputs == [] and item.execution_count is None for item in code)
    assert stored.metadata.kernelspec.name == "bestchat"


def test_the_notebook_headless(clean: dict[str, str]) -> None:
    ran = nbformat.read(BAKERY, as_version=4)
    NotebookClient(ran, timeout=60).execute(env=clean | {"BESTCHAT_DEFAULT_MODEL": "scripted/bakery"})
    outputs = {cell.id: cell.outputs for cell in ran.cells if cell.cell_type == "code"}
    assert "not sent" in outputs["by-habit"][0].data["text/markdown"]
    assert outputs["data"][0].data["text/plain"] == "49.5"
    assert "stock up for the weekend" in outputs["mention"][0].data["text/markdown"]
    assert outputs["use"][0].data["text/plain"].startswith("{'Mon': 46, 'Tue': 42, ")
    assert "'Sat': '04:22'" in outputs["plan"][0].data["text/plain"]
    assert "Messages: 9" in outputs["explain"][-1].data["text/plain"]
    assert "adds a tenth" in outputs["history"][0].text


def test_the_notebook_asks_nobody_after_a_restart(start_kernel: StartKernel) -> None:
    kernel = start_kernel("bestchat", BESTCHAT_DEFAULT_MODEL="scripted/bakery")
    stored = nbformat.read(BAKERY, as_version=4)
    cells = [(item.source, item.id) for item in stored.cells if item.cell_type == "code"]
    shown = []
    for _ in range(2):
        ran = [kernel.run(*cell) for cell in cells]
        assert all(item.ok for item in ran)
        shown.append([item.answer.partition("\n\n*—")[0] for item in ran if item.shown])
        assert turns(kernel) == 5
        kernel.restart()
    assert shown[0] == shown[1]


def test_in_nbclient(clean: dict[str, str]) -> None:
    ran = notebook("count one", "%%python\nx = 6 * 7\nx", "Is it right? @x")
    NotebookClient(ran, timeout=60).execute(env=clean)
    shown = [cell.outputs[0].data["text/plain"] for cell in ran.cells]
    assert shown[0] == "messages: 1\n\n— scripted/magics · script"
    assert shown[1] == "42"
    assert shown[2].startswith("heard: Is it right? @x")
    assert json.dumps(ran.cells[0].outputs[0].metadata) == json.dumps(
        {"bestchat": {"model": "scripted/magics", "usage": {"input_tokens": 2, "output_tokens": 2}}}
    )


def test_a_failure_stops_nbclient(clean: dict[str, str]) -> None:
    ran = notebook("refuse this", "count")
    with pytest.raises(CellExecutionError, match="content_refused: The script failed on purpose"):
        NotebookClient(ran, timeout=60).execute(env=clean)
    assert ran.cells[1].outputs == []


def test_papermill_brings_parameters(clean: dict[str, str], tmp_path: Path) -> None:
    made = notebook("It is {{ year }}.")
    nbformat.write(made, tmp_path / "in.ipynb")
    words = ["-m", "papermill", "--no-progress-bar", "-p", "year", "2026", "in.ipynb", "out.ipynb"]
    done = subprocess.run(
        [sys.executable, *words],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    shown = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs[0]
    assert shown.data["text/plain"].startswith("heard: It is 2026.")


def test_in_jupyter_console(clean: dict[str, str], tmp_path: Path) -> None:
    words = ["-m", "jupyter_console", "--kernel", "bestchat", "--simple-prompt"]
    console = pexpect.spawn(
        sys.executable, words, env=clean | {"TERM": "dumb"}, cwd=tmp_path, encoding="utf-8", timeout=40
    )
    console.expect_exact("In [1]:")
    console.sendline("stream something")
    console.expect_exact("alpha beta gamma delta epsilon zeta eta theta the end.")
    console.expect_exact("— scripted/magics · script")
    console.expect_exact("In [2]:")
    console.sendline("count")
    console.expect_exact("messages: 3")
    console.expect_exact("In [3]:")
    console.sendline("!echo from the $((1+1))nd shell")
    console.expect_exact("from the 2nd shell")
    console.sendline("exit")
    console.close(force=True)
