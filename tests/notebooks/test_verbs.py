"""`%chat` and its verbs, in real kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.notebooks.conftest import Kernel, Ran


def failed(ran: Ran) -> str:
    assert ran.reply["status"] == "error"
    (line,) = ran.error["traceback"]
    return str(line)


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        ("%chat ask why is this slow?", "why is this slow?"),
        ("%chat ask why is this slow??", "why is this slow??"),
        ("  %chat ask why is this slow?", "why is this slow?"),
        ("x = 1\n%chat ask why is this slow?\ny = 2", "why is this slow?"),
        ("if True:\n    %chat ask why is this slow?", "why is this slow?"),
        ("%chat ask it's \"so", 'it\'s "so'),
        ("%chat ask $here {here} {{here}} $$", "$here {here} {{here}} $$"),
        ("%chat ask !ls > 'x' \\", "!ls > 'x' \\"),
        ("%chat ask -- -m is an option?", "-m is an option?"),
        ("%chat ask --raw {{ here }} @here", "{{ here }} @here"),
        ('%chat ask df.query("a > @limit")?', 'df.query("a > @limit")?'),
        ("%chat ask me@here.example or @here.x or @here(1)", "me@here.example or @here.x or @here(1)"),
        ("%chat ask `@here` {here!r} {here:>3}", "`@here` {here!r} {here:>3}"),
        ("%chat ask sum is {{ len(here) }}", "sum is 8"),
    ],
)
def test_nothing_touches_the_text(shared: Kernel, code: str, sent: str) -> None:
    shared.run("here = 'expanded'")
    assert shared.run(code).ok
    assert shared.said()[-2:] == [("user", sent), ("assistant", f"heard: {sent}")]


def test_a_string_that_looks_like_it_stays_a_string(shared: Kernel) -> None:
    assert shared.run('text = """\n%chat ask x?\n"""\ntext').value == "'\\n%chat ask x?\\n'"


def test_the_last_error_is_sent_with_its_cell_and_variables(kernel: Kernel) -> None:
    kernel.run("rate = 0\nother = 5")
    kernel.run("def half(x):\n    return x / rate\n\nhalf(rate)")
    assert kernel.run("%chat").ok
    ran = kernel.run("%chat fix --new it worked yesterday {{ rate }}")
    assert ran.stdout == "note: sent along: the cell, its error, rate\n"
    asked = kernel.said()[0][1]
    assert asked.startswith("This cell failed.")
    assert "\nit worked yesterday {{ rate }}\n" in asked
    assert "```text\ndef half(x):\n    return x / rate\n\nhalf(rate)\n```" in asked
    assert "ZeroDivisionError: division by zero" in asked
    assert "interactiveshell" not in asked
    assert "Attached variable `rate`" in asked
    assert "other" not in asked


def test_a_cell_that_is_no_python_is_sent_too(kernel: Kernel) -> None:
    kernel.run("for x in")
    assert kernel.run("%chat fix").ok
    assert "SyntaxError" in kernel.said()[0][1]


def test_functions_variables_and_cells_are_explained(kernel: Kernel) -> None:
    kernel.run("def double(x):\n    return 2 * x\nprices = {'apple': 3}\ndouble(prices['apple'])")
    kernel.run("%chat explain double")
    assert "Attached source `double`:\n```text\ndef double(x):" in kernel.said()[-2][1]
    kernel.run("%chat explain prices")
    assert "'apple': 3" in kernel.said()[-2][1]
    kernel.run("%chat explain")
    assert "Attached source `the cell`:" in kernel.said()[-2][1]
    assert "Did you mean prices?" in failed(kernel.run("%chat explain price"))


def test_a_model_is_chosen_for_the_notebook(kernel: Kernel) -> None:
    assert "scripted/other" in kernel.run("%chat model").stdout
    ran = kernel.run("%chat model scripted/other")
    assert ran.stdout == "scripted/other answers in this notebook from now on.\n"
    assert kernel.ask("%%chat\nhello") == "the other one"
    assert kernel.ask("%%chat -m scripted/magics\nhello") == "heard: hello"
    first = kernel.run("%chat model").stdout.splitlines()[0]
    assert first.split() == ["answers", "scripted/other"]
    assert failed(kernel.run("%chat model nobody/x")).startswith("unknown_provider: ")
    assert kernel.ask("%%chat\nhello") == "the other one"


def test_history_and_a_new_conversation(kernel: Kernel) -> None:
    assert failed(kernel.run("%chat history")).startswith("not_found: Nothing was said here yet.")
    kernel.ask("%%chat\none")
    kernel.ask("%%chat\ntwo")
    said = "you:\none\n\nscripted/magics:\nheard: one\n\n"
    last = "you:\ntwo\n\nscripted/magics:\nheard: two\n\n"
    assert kernel.run("%chat history").stdout == said + last
    assert kernel.run("%chat history 2").stdout == last
    assert kernel.run("%chat new").ok
    assert kernel.ask("%%chat\ncount") == "messages: 1"


def test_usage_is_added_up(kernel: Kernel) -> None:
    kernel.ask("%%chat\nstream")
    head, row, total = [line.split() for line in kernel.run("%chat usage").stdout.splitlines()]
    assert head[2:] == ["requests", "in", "out", "US", "dollars"]
    assert row[:4] == ["scripted/magics", "1", "11", "22"]
    assert total[:4] == ["all", "1", "11", "22"]
    assert row[4] == "unknown"
    assert "day, model, conversation" in failed(kernel.run("%chat usage week"))


def test_the_conversation_is_written_to_a_file(kernel: Kernel) -> None:
    kernel.ask("%%chat\none")
    kernel.run("import os\nos.chdir(os.environ['HOME']) if os.path.isdir(os.environ['HOME']) else 0")
    folder = Path(kernel.run("print(os.getcwd())").stdout.strip())
    assert kernel.run("%chat export").stdout == "Written to one.md\n"
    assert "heard: one" in (folder / "one.md").read_text()
    assert kernel.run("%chat export my chat.json").ok
    assert json.loads((folder / "my chat.json").read_text())["kind"] == "bestchat.conversation"
    assert "File exists" in failed(kernel.run("%chat export my chat.json"))
    assert ".md, .ipynb, .json" in failed(kernel.run("%chat export chat.doc"))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%chat hello", "%chat does not know 'hello'."),
        ("%chat explian x", "Did you mean %chat explain?"),
        ("%chat new one", "%chat new takes nothing behind it."),
        ("%chat ask", "There is nothing to ask."),
        ("%chat ask --modle x", "Did you mean --model?"),
        ("%chat history all", "takes a number of messages"),
    ],
)
def test_what_is_not_understood(shared: Kernel, code: str, says: str) -> None:
    assert says in failed(shared.run(code))


def test_help_lists_the_verbs(shared: Kernel) -> None:
    told = shared.run("%chat help").stdout
    for verb in ("ask", "fix", "explain", "model", "new", "history", "usage", "export"):
        assert f"%chat {verb} " in told
    assert "--temperature" in shared.run("%chat ask -h").stdout


def test_nothing_failed_yet(kernel: Kernel) -> None:
    assert "No cell has failed" in failed(kernel.run("%chat fix"))
    assert "No cell has failed" in failed(kernel.run("%chat fix"))
