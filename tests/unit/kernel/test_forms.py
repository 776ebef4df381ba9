from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from bestchat_kernel.forms import Unusable, form, shown
from bestchat_server_ext.core.errors import InvalidRequest


@dataclass
class Person:
    name: str
    age: int


def read(name: str, text: str, schema: object = None) -> object:
    found = form(name, schema)
    assert found.read is not None
    return found.read(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, "}"]}',
        '\n {"a": [1, "}"]}\n',
        'Here:\n\n```json\n{"a": [1, "}"]}\n```\n\nDone.',
        '```\nnot this\n```\n```\n{"a": [1, "}"]}\n```',
        'Sure! {"a": [1, "}"]} is {it}.',
    ],
)
def test_json_is_found_where_models_put_it(text: str) -> None:
    assert read("json", text) == {"a": [1, "}"]}


@pytest.mark.parametrize("text", ["", "no", "{'a': 1}", "[1, 2", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(Unusable, match="it is no JSON"):
        read("json", text)


def test_types_of_all_kinds() -> None:
    assert read("json", '{"name": "Ada", "age": "36"}', Person) == Person("Ada", 36)
    assert read("json", '[{"name": "Ada", "age": 36}]', list[Person]) == [Person("Ada", 36)]
    assert read("json", '"good"', Literal["good", "bad"]) == "good"
    with pytest.raises(Unusable, match="`age`: Field required"):
        read("json", '{"name": "Ada"}', Person)
    with pytest.raises(Unusable, match=r"`\$`: Input should be 'good' or 'bad'"):
        read("json", '"fair"', Literal["good", "bad"])


def test_json_schemas() -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    assert read("json", '{"age": 36}', schema) == {"age": 36}
    with pytest.raises(Unusable, match=r"at `\$\.age`: 'x' is not of type 'integer'"):
        read("json", '{"age": "x"}', schema)
    with pytest.raises(InvalidRequest, match="The schema cannot be used"):
        form("json", {"type": "nonsense"})


@pytest.mark.parametrize("schema", [3, "text", lambda: None])
def test_what_is_no_schema(schema: object) -> None:
    with pytest.raises(InvalidRequest, match="The schema cannot be used"):
        form("json", schema)


def test_each_row_of_a_table_has_to_fit() -> None:
    with pytest.raises(Unusable, match=r"row 2: `age`: Input should be a valid integer"):
        read("table", '[{"name": "a", "age": 1}, {"name": "b", "age": "x"}]', Person)
    with pytest.raises(Unusable, match="no array of objects"):
        read("table", "[1, 2]")


def test_the_model_is_told_what_is_wanted() -> None:
    assert form("md").asked("x") == "x"
    assert '"integer"' in form("json", Person).asked("x")
    assert "one object for each row" in form("table").asked("x")
    assert "one fenced block" in form("code").repair("no.")


def test_values_are_shown_as_json() -> None:
    assert shown([Person("Ä", 1)]) == '[\n  {\n    "name": "Ä",\n    "age": 1\n  }\n]'
