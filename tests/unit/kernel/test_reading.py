"""What a cell of the BestChat kernel is."""

from __future__ import annotations

import pytest

from bestchat_kernel.kernel.reading import Kind, is_plainly_python, read

KNOWN = {"df", "print"}


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("What is a list?", "message", "What is a list?"),
        ("  indented, and kept", "message", "  indented, and kept"),
        ("Why?", "message", "Why?"),
        ("50 % of them?", "message", "50 % of them?"),
        ("% of them", "message", "% of them"),
        ("%5 off", "message", "%5 off"),
        ("! attention", "message", "! attention"),
        ("!!! now", "message", "!!! now"),
        ("/usr/bin is full", "message", "/usr/bin is full"),
        ("/ is the root", "message", "/ is the root"),
        ("@df and {{ x }}", "message", "@df and {{ x }}"),
        ("# Title\n\ntext", "message", "# Title\n\ntext"),
        ("%%pythonic thoughts", "ipython", "%%pythonic thoughts"),
        ("%%python\nx = 1\nx", "python", "x = 1\nx"),
        ("\n %%python\n\nx", "python", "\nx"),
        ("%%python print(1)\nx", "python", "print(1)\nx"),
        ("# Parameters\nyear = 2026\n", "python", "# Parameters\nyear = 2026\n"),
        ("# Parameters\n\nWhich are there?", "message", "# Parameters\n\nWhich are there?"),
        ("%%message\n%timeit is a magic", "message", "%timeit is a magic"),
        ("%%message", "message", ""),
        ("%again", "again", ""),
        ("%again why?\nreally", "again", "why?\nreally"),
        ("%again\nwhy?", "again", "why?"),
        ("%run_code", "code", ""),
        ("%run_code 2\n", "code", "2"),
        ("%run_code 2\nprint(1)", "ipython", "%run_code 2\nprint(1)"),
        ("%timeit 1", "ipython", "%timeit 1"),
        ("%%chat -m x\nhello", "ipython", "%%chat -m x\nhello"),
        ("!ls", "ipython", "!ls"),
        ("df?", "ipython", "df?"),
        ("?df.head", "ipython", "?df.head"),
        ("%timeit?", "ipython", "%timeit?"),
        ("print??", "ipython", "print??"),
        ("", "nothing", ""),
        (" \n", "nothing", ""),
    ],
)
def test_first_characters_say_what_a_cell_is(source: str, kind: Kind, text: str) -> None:
    cell = read(source, KNOWN.__contains__)
    assert (cell.kind, cell.text) == (kind, text)


def test_a_command_has_a_name_and_the_rest() -> None:
    cell = read("/model  openai/gpt-5 ", KNOWN.__contains__)
    assert (cell.kind, cell.name, cell.text) == ("command", "model", "openai/gpt-5")
    cell = read("/fix\nin two lines\nplease", KNOWN.__contains__)
    assert (cell.name, cell.text) == ("fix", "in two lines\nplease")


@pytest.mark.parametrize(
    "text",
    [
        "import pandas as pd",
        "import pandas as pd\ndf = pd.read_csv('x.csv')\ndf.head()",
        "x = 1",
        "x: int = 1",
        "print('hello')",
        "def f():\n    return 1",
        "for i in range(3):\n    print(i)",
        "df['a']",
        "# a comment\nx += 1",
        "await f()",
    ],
)
def test_python_is_known(text: str) -> None:
    assert is_plainly_python(text)


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "this, or that",
        "continue",
        "go on",
        "2 + 2",
        "is x in y",
        "x in y",
        "Task: summarise",
        "example.com",
        "# Title",
        "print 'hello'",
        "What is f(x)?",
        "(" * 5000,
        "\0",
        "",
    ],
)
def test_prose_is_no_python(text: str) -> None:
    assert not is_plainly_python(text)
