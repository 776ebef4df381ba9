"""The options of `%%chat` that say what goes along and what comes back, in real kernels."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.notebooks.conftest import Kernel, Ran


def parts(kernel: Kernel) -> list[dict[str, Any]]:
    """What the last question consists of."""
    (row,) = kernel.rows(
        "SELECT parts FROM messages WHERE role = 'user'"
        " ORDER BY created_at DESC, created_seq DESC LIMIT 1"
    )
    found: list[dict[str, Any]] = json.loads(row["parts"])
    return found


def failed(ran: Ran) -> str:
    assert ran.reply["status"] == "error"
    (line,) = ran.error["traceback"]
    return str(line)


# What goes along.


def test_standing_instructions_stay_with_the_conversation(kernel: Kernel) -> None:
    def settings() -> dict[str, Any]:
        (row,) = kernel.rows("SELECT settings FROM conversations ORDER BY updated_at DESC LIMIT 1")
        found: dict[str, Any] = json.loads(row["settings"])
        return found

    kernel.ask("%%chat --system 'Be brief, it's late.'\none")
    assert settings() == {"system_prompt": "Be brief, it's late."}
    kernel.ask("%%chat\ntwo")
    assert settings() == {"system_prompt": "Be brief, it's late."}
    kernel.ask("%%chat --system 'Be long.'\nthree")
    assert settings() == {"system_prompt": "Be long."}
    assert len(kernel.rows("SELECT id FROM conversations")) == 1


def test_a_limit_of_cost_is_kept_or_refused(kernel: Kernel) -> None:
    line = failed(kernel.run("%%chat --max-cost 0.50\none"))
    assert line.startswith("limit_reached: What scripted/magics costs is not known")
    assert kernel.rows("SELECT settings FROM conversations") == [{"settings": '{"max_cost":"0.50"}'}]


def test_a_figure_goes_along_as_a_picture(shared: Kernel) -> None:
    shared.run(
        "import matplotlib; matplotlib.use('agg')\n"
        "import matplotlib.pyplot as plt\n"
        "figure, axes = plt.subplots(); axes.plot([1, 3, 2])"
    )
    for name in ("figure", "axes"):
        assert shared.run(f"%%chat --new --image {name}\nwhat is this?").ok
        text, picture = parts(shared)
        assert text["text"] == "what is this?"
        assert picture["media_type"] == "image/png"
        assert base64.b64decode(picture["data"]).startswith(b"\x89PNG")


def test_several_images_go_along_and_large_ones_become_smaller(shared: Kernel) -> None:
    shared.run("from PIL import Image\nsmall = Image.new('CMYK', (8, 8))")
    shared.run("large = Image.new('RGB', (4096, 1024))")
    assert shared.run("%%chat --new --image small --image large\nwhat?").ok
    sizes = [base64.b64decode(part["data"])[16:24].hex() for part in parts(shared)[1:]]
    assert sizes == ["0000000800000008", "0000080000000200"]
    assert shared.run("large.size").value == "(4096, 1024)"


def test_a_file_goes_along(shared: Kernel) -> None:
    shared.run("from pathlib import Path; _ = Path('my notes.txt').write_text('a ``` fence')")
    answer = shared.ask("%%chat --new --attach 'my notes.txt'\nwhat does it say?")
    attached = "\n\n---\nAttached file `my notes.txt`:\n````text\na ``` fence\n````"
    assert answer == f"heard: what does it say?{attached}"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("%%chat --image nothing\nx", "There is no variable 'nothing'"),
        ("%%chat --image number\nx", "'number' holds no picture"),
        ("%%chat --image broken\nx", "could not be drawn: ZeroDivisionError"),
        ("%%chat --image noise\nx", "can be sent. Make it smaller."),
        (f"%%chat {'--image number ' * 9}\nx", "9 pictures are too many"),
        ("%%chat --attach nothing.txt\nx", "cannot be attached: No such file or directory"),
        ("%%chat --attach binary\nx", "'binary' is no text in UTF-8"),
        ("%%chat --as poem\nx", "Write one of text, md, code, json, table"),
        ("%%chat --temperature hot\nx", "Write a number from 0 to 2"),
        ("%%chat --max-tokens -1\nx", "--max-tokens needs a value"),
        ("%%chat --max-tokens 0\nx", "'0' is no number of tokens"),
        ("%%chat --max-cost much\nx", "'much' is not an amount of US dollars"),
        ("%%chat --schema nothing\nx", "There is no variable 'nothing'"),
        ("%%chat --schema number\nx", "The schema cannot be used"),
        ("%%chat --schema bad_schema\nx", "The schema cannot be used"),
        ("%%chat --as code --schema dict\nx", "--schema does not go with --as code"),
    ],
)
def test_what_cannot_go_along_is_said_and_nothing_is_sent(
    shared: Kernel, code: str, says: str
) -> None:
    shared.run(
        "import os\nnumber = 3\nbad_schema = {'type': 'nonsense'}\n"
        "noise = b'\\xff\\xd8\\xff' + bytes(6_000_000)\n"
        "_ = open('binary', 'wb').write(b'a\\0b')\n"
        "class Broken:\n    def _repr_png_(self):\n        1 / 0\n"
        "broken = Broken()"
    )
    before = len(shared.said())
    assert says in failed(shared.run(code))
    assert len(shared.said()) == before


# What comes back.

PERSON = "from pydantic import BaseModel\nclass Person(BaseModel):\n    name: str\n    age: int\n"


def test_json_fits_its_model_after_one_repair(shared: Kernel) -> None:
    shared.run(PERSON)
    ran = shared.run("%%chat --new --schema Person --out ada\nperson please")
    assert ran.ok
    assert "note: the answer cannot be used, asking once more: `age`: Input" in ran.stdout
    assert shared.run("ada").value == "Person(name='Ada', age=36)"
    told = '{\n  "name": "Ada",\n  "age": 36\n}'
    assert ran.answer == f"```json\n{told}\n```\n\n*— scripted/magics*"
    assert ran.shown[-1].content["metadata"]["bestchat"]["usage"] == {
        "input_tokens": 30,
        "output_tokens": 11,
    }
    said = [text.partition("\n")[0] for _, text in shared.said()[-4:]]
    assert said[0] == "person please"
    assert said[2].startswith("Your answer could not be used: `age`: Input should be a valid")
    # It follows the answer that it is about, and the cell keeps its place.
    assert shared.ask("%%chat\ncount") == "messages: 5"


def test_json_fits_a_json_schema(shared: Kernel) -> None:
    shared.run("person = {'type': 'object', 'properties': {'age': {'type': 'string'}}}")
    assert shared.run("%%chat --new --as json --schema person --out ada\nperson please").ok
    assert shared.run("ada").value == "{'name': 'Ada', 'age': 'old'}"


def test_an_answer_that_never_fits_is_an_error_that_shows_it(shared: Kernel) -> None:
    shared.run(f"{PERSON}ada = 1")
    for quiet in ("", "--quiet "):
        ran = shared.run(f"%%chat --new {quiet}-m scripted/stubborn --schema Person --out ada\nx")
        assert failed(ran).startswith("unusable_answer: The answer, asked for twice, is not in")
        assert ran.answer.startswith("I would rather not, {not at all}.")
        assert shared.run("ada").value == "1"


def test_a_table_becomes_a_frame(shared: Kernel) -> None:
    ran = shared.run("%%chat --new --as table --out cities\nrows please")
    assert ran.ok
    assert shared.run("cities.to_dict('list')").value == "{'city': ['Bern', '<b>Ulm</b>'], 'n': [1, 2]}"
    html = ran.shown[-1].content["data"]["text/html"]
    assert "&lt;b&gt;Ulm" in html
    assert "<b>Ulm" not in html


def test_code_is_its_blocks(shared: Kernel) -> None:
    ran = shared.run("%%chat --new --as code --out source\ncode please")
    assert shared.run("source").value == "'x = 1\\n\\ny = 2'"
    assert ran.answer == "```python\nx = 1\n\ny = 2\n```\n\n*— scripted/magics*"


def test_plain_text_is_no_markdown(shared: Kernel) -> None:
    ran = shared.run("%%chat --new --as text --out said\nstream please")
    assert ran.ok
    assert all(list(shown.content["data"]) == ["text/plain"] for shown in ran.shown)
    assert shared.run("said.text[-8:]").value == "'the end.'"


def test_a_quiet_cell_shows_nothing(shared: Kernel) -> None:
    shared.run(PERSON)
    for words in ("", "--as text", "--schema Person"):
        ran = shared.run(f"%%chat --new --quiet {words} --out said\nperson please")
        assert ran.ok
        assert ran.shown == []
    assert shared.run("said.age").value == "36"


def test_a_cell_that_keeps_going_says_what_failed(shared: Kernel) -> None:
    shared.run("answer = 1")
    ran = shared.run("%%chat --keep-going --out answer -m openai/gpt-5\nhi")
    assert ran.ok
    assert ran.stdout.startswith("missing_key: The provider 'openai' has no key.")
    assert shared.run("print(answer)").stdout == "None\n"


# Completion.


@pytest.mark.parametrize(
    ("code", "found", "replaced"),
    [
        ("%%chat --te", ["--temperature"], 4),
        ("%%chat --new --s", ["--schema", "--system"], 3),
        ("%%chat --as ", ["code", "json", "md", "table", "text"], 0),
        ("%%chat --as t", ["table", "text"], 1),
        ("%%chat --image quant", ["quantity_a", "quantity_b"], 5),
        ("%%chat what of @quantity_", ["quantity_a", "quantity_b"], 9),
        ("%%chat\nimport quant @quantity_a", ["quantity_a"], 10),
    ],
)
def test_completion(shared: Kernel, code: str, found: list[str], replaced: int) -> None:
    shared.run("quantity_a = quantity_b = 1")
    reply = shared.client.complete(code, reply=True, timeout=20)["content"]
    assert reply["matches"] == found
    assert reply["cursor_end"] - reply["cursor_start"] == replaced


def test_completion_elsewhere_is_ipythons_own(shared: Kernel) -> None:
    shared.run("quantity_a = quantity_b = 1")
    reply = shared.client.complete("print(quantity_", reply=True, timeout=60)["content"]
    assert {"quantity_a", "quantity_b"} <= set(reply["matches"])


def test_code_goes_along_for_a_cell_below(shared: Kernel) -> None:
    ran = shared.run("%%chat --insert\ncode")
    assert ran.shown[-1].content["metadata"]["bestchat"]["insert"] == "x = 1\n\ny = 2"
    assert "insert" not in ran.shown[-2].content["metadata"].get("bestchat", {})
    ran = shared.run("%%chat --insert --as code\ncode")
    assert ran.shown[-1].content["metadata"]["bestchat"]["insert"].startswith("x = 1")
    ran = shared.run("%%chat --insert\nno code at all")
    assert "there is no Python in the answer" in ran.stdout
    assert "insert" not in ran.shown[-1].content["metadata"]["bestchat"]
    assert "Leave --quiet out" in shared.run("%%chat --insert --quiet\ncode").error["evalue"]


def test_cells_errors_files_and_slow_values_are_mentioned(shared: Kernel) -> None:
    shared.run("first = 6 * 7\nfirst")
    number = shared.run("len(In) - 2").value
    assert "first = 6 * 7" in shared.ask(f"%%chat --new\nsee @In[{number}] and @Out[{number}]")
    assert not shared.run("[1, 2][5]").ok
    said = shared.ask("%%chat\nwhat is @error?")
    assert "[1, 2][5]" in said
    assert "IndexError: list index out of range" in said
    shared.run("with open('notes.txt', 'w') as file: _ = file.write('PASSWORD=hunter2')")
    assert "PASSWORD=[redacted]" in shared.ask("%%chat\nread @file:notes.txt")
    shared.run("import time\nclass Slow:\n    def __repr__(self): time.sleep(600)\nslow = Slow()")
    ran = shared.run("%%chat\nwhat is @slow?")
    assert "took too long to say what is in it" in ran.stdout
    assert "Slow" in ran.answer
