from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import enum
import functools
import pathlib
import subprocess
import sys
import tracemalloc
import types
import weakref
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_kernel.summary import BUDGET, inline_text, summarise

Pair = collections.namedtuple("Pair", "x y")  # noqa: PYI024 - as users write it in notebooks


@dataclasses.dataclass
class Plain:
    number: int
    many: list[int]
    secret: str = dataclasses.field(default="hidden", repr=False)


@dataclasses.dataclass(repr=False)
class WithOwnRepr:
    password: str = "hidden"

    def __repr__(self) -> str:
        return "WithOwnRepr()"


class Wire(msgspec.Struct, weakref=True):
    a: int = 1


class Model(pydantic.BaseModel):
    a: int = 1


class Broken:
    def __repr__(self) -> str:
        raise ZeroDivisionError


class Endless:
    def __repr__(self) -> str:
        return "e" * 1_000_000


class NoText:
    def __repr__(self) -> str:
        return 1  # type: ignore[return-value]


class BrokenList(list[int]):
    def __len__(self) -> int:
        raise ZeroDivisionError


class Colour(enum.Enum):
    RED = "red"


class Shouting(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise ZeroDivisionError

    def __len__(self) -> int:
        raise ZeroDivisionError


FRAME = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "word": ["x", "y" * 100, None],
        "when": pd.date_range("2024-01-01", periods=3),
        "cells": [[1] * 1000, {}, "a\nb"],
    }
)

TOLD = [
    (None, "NoneType\nNone"),
    (True, "bool\nTrue"),
    (42, "int\n42"),
    (1.5, "float\n1.5"),
    ("", "str, 0 characters\n"),
    ("a", "str, 1 character\na"),
    ("two\nlines", "str, 9 characters\ntwo\nlines"),
    (b"abc", "bytes, 3 bytes\nb'abc'"),
    (bytearray(b"a"), "bytearray, 1 byte\nb'a'"),
    ([], "list, 0 items\n[]"),
    ([1, "a"], "list, 2 items\n[1, 'a']"),
    ((1,), "tuple, 1 item\n(1,)"),
    ((1, 2), "tuple, 2 items\n(1, 2)"),
    (set(), "set, 0 items\nset()"),
    ({3, 1, 2}, "set, 3 items\n{1, 2, 3}"),
    (frozenset({1}), "frozenset, 1 item\nfrozenset({1})"),
    ({"a": [1], 2: None}, "dict, 2 items\n{'a': [1], 2: None}"),
    ({"a": 1}.keys(), "dict_keys, 1 item\ndict_keys(['a'])"),
    ({"a": 1}.items(), "dict_items, 1 item\ndict_items([('a', 1)])"),
    (collections.deque([1]), "collections.deque, 1 item\ncollections.deque([1])"),
    (collections.Counter("aa"), "collections.Counter, 1 item\ncollections.Counter({'a': 2})"),
    (collections.UserList([1]), "collections.UserList, 1 item\ncollections.UserList([1])"),
    (collections.UserDict(a=1), "collections.UserDict, 1 item\ncollections.UserDict({'a': 1})"),
    (array.array("i", [1]), "array.array, 1 item\narray.array([1])"),
    ({"a": {"b": {"c": {"d": {"e": 1}}}}}, "dict, 1 item\n{'a': {'b': {'c': {'d': {…}}}}}"),
    (np.float64(2.5), "numpy.float64\n2.5"),
    ([np.float64(2.5)], "list, 1 item\n[2.5]"),
    (np.arange(6).reshape(2, 3), "numpy ndarray, shape (2, 3), dtype int64\n[[0 1 2]\n [3 4 5]]"),
    (np.array(3), "numpy ndarray, shape (), dtype int64\n3"),
    (np.array(["a", "b"]), "numpy ndarray, shape (2,), dtype <U1\na, b"),
    (np.array([{}, [1]], dtype=object), "numpy ndarray, shape (2,), dtype object\n{}, [1]"),
    ([np.zeros(2)], "list, 1 item\n[<numpy ndarray, shape (2,), dtype float64>]"),
    (
        pathlib.PurePosixPath("/a"),
        f"{pathlib.PurePosixPath.__module__}.PurePosixPath\nPurePosixPath('/a')",
    ),
]


@pytest.mark.parametrize(("value", "told"), TOLD)
def test_kind_and_size_come_first_then_contents(value: object, told: str) -> None:
    assert summarise(value) == told
    assert summarise(value, "x") == f"x: {told}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Ada's", "Ada's"),
        (42, "42"),
        (None, "None"),
        ([1, "a"], "[1, 'a']"),
        (np.float64(0.5), "0.5"),
        (np.str_("a"), "a"),
        (dt.date(2024, 1, 2), "2024-01-02"),
        (pathlib.PurePosixPath("/a"), "/a"),
        (KeyError("k"), "'k'"),
        (np.arange(2), "numpy ndarray, shape (2,), dtype int64\n[0 1]"),
    ],
)
def test_inside_a_sentence_a_value_stands_for_itself(value: object, text: str) -> None:
    assert inline_text(value) == text


def test_a_huge_number_is_told_by_its_size() -> None:
    assert summarise(10**5000) == "int\n<int of 16,610 bits>"
    assert summarise([10**5000]) == "list, 1 item\n[<int of 16,610 bits>]"


def test_a_frame_gives_shape_types_and_its_first_rows() -> None:
    lines = summarise(FRAME, "df").splitlines()
    assert lines[0] == "df: pandas DataFrame, 3 rows, 4 columns, RangeIndex"
    assert lines[1].startswith("Columns: n: int64, word: ")
    assert "when: datetime64" in lines[1]
    assert lines[2].split() == ["n", "word", "when", "cells"]
    assert len(lines) == 6
    assert "2024-01-03" in lines[5]
    assert "a\\nb" in lines[5]


def test_a_frame_inside_a_sentence_is_the_same_summary() -> None:
    assert f"df: {inline_text(FRAME)}" == summarise(FRAME, "df")


def test_a_long_or_wide_frame_says_what_is_not_shown() -> None:
    told = summarise(pd.DataFrame(np.zeros((1000, 500))))
    assert "1,000 rows, 500 columns" in told
    assert "… 480 more" in told
    assert told.endswith("… 990 more rows")


def test_a_table_that_does_not_fit_shows_fewer_rows_whole() -> None:
    frame = pd.DataFrame({f"column number {n}": ["word " * 6] * 50 for n in range(30)})
    told = summarise(frame)
    assert len(told) <= BUDGET
    assert told.endswith("… 47 more rows")


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=range(3)),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
        FRAME.set_index(["n", "word"]),
        FRAME.astype({"word": "category"}),
    ],
)
def test_odd_frames_are_summarised_too(frame: pd.DataFrame) -> None:
    told = summarise(frame)
    rows, columns = frame.shape
    assert told.startswith(f"pandas DataFrame, {rows} row")
    assert f"{columns} column" in told
    assert "no summary" not in told


def test_a_subclass_of_a_frame_keeps_its_name() -> None:
    Geo = type("Geo", (pd.DataFrame,), {"__module__": "geo.frames"})  # noqa: N806 - a class
    assert summarise(Geo({"a": [1]})).startswith("geo Geo, 1 row, 1 column")


def test_a_series_gives_name_length_type_and_its_first_values() -> None:
    told = summarise(pd.Series(range(50), name="n"))
    assert told.startswith("pandas Series n, 50 values, dtype int64\n0  0\n1  1\n")
    assert told.endswith("9  9\n… 40 more rows")


def test_a_masked_array_keeps_its_mask() -> None:
    assert "[1, --]" in summarise(np.ma.masked_array([1, 2], [False, True]))


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((1000, 1000)),
        np.zeros((4,) * 10),
        np.array(["x" * 10_000] * 100),
        np.array([list(range(1000))] * 100 + [None], dtype=object),
    ],
)
def test_a_large_array_is_cut_and_says_so(value: np.ndarray[Any, Any]) -> None:
    told = summarise(value)
    assert len(told) < 600
    assert "…" in told or "..." in told


def test_numpy_print_options_do_not_open_the_gates() -> None:
    with np.printoptions(threshold=sys.maxsize):
        assert len(summarise(np.zeros(100_000))) < 200


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Pair(1, [2]), "Pair(x=1, y=[2])"),
        (Plain(1, [2] * 30), "Plain(number=1, many=[2, 2, 2, 2, 2, 2, 2, 2, 2, 2, … 20 more])"),
        (WithOwnRepr(), "WithOwnRepr()"),
        (Wire(), "Wire(a=1)"),
        (Model(), "Model(a=1)"),
        (Colour.RED, "<Colour.RED: 'red'>"),
        (Broken(), "Broken: repr raised ZeroDivisionError>"),
        ([Broken()], "Broken: repr raised ZeroDivisionError>]"),
        (NoText(), "NoText: repr raised TypeError>"),
        (Plain, "Plain'>"),
    ],
)
def test_objects_show_themselves_or_get_a_substitute(value: object, told: str) -> None:
    assert summarise(value).endswith(told)
    assert "hidden" not in summarise(value)


def test_a_text_or_a_list_that_misbehaves_is_told_all_the_same() -> None:
    assert summarise(Shouting("a")).endswith("Shouting, 1 character\na")
    assert summarise([Shouting("a")]) == "list, 1 item\n['a']"
    assert summarise(BrokenList()).endswith("<no summary: ZeroDivisionError was raised>")


def test_addresses_are_left_out() -> None:
    assert summarise(object()) == "object\n<object object>"
    assert summarise([object()]) == "list, 1 item\n[<object object>]"


def test_a_dead_reference_is_no_trouble() -> None:
    proxy = weakref.proxy(Wire())
    assert "ReferenceError" in inline_text(proxy)
    assert summarise(proxy).startswith("weakref.ProxyType\n")


def test_cycles_end() -> None:
    loop: list[object] = []
    loop.append(loop)
    table: dict[str, object] = {"loop": loop}
    table["self"] = table
    assert "…" in summarise(loop)
    assert "…" in summarise(table)


def test_what_is_left_out_is_marked() -> None:
    assert summarise(list(range(1000))).endswith(", 98, 99, … 900 more]")
    assert summarise(["x" * 100] * 100).endswith(" … [the rest is left out]")
    told = summarise("a" * 5000 + "z" * 5000)
    assert BUDGET - 10 < len(told) <= BUDGET
    assert told.count(" left out] … ") == 1
    assert told.startswith("str, 10,000 characters\naaa")
    assert told.endswith("zzz")
    assert " characters left out] … " in told
    assert " bytes left out] … " in summarise(bytes(10_000))


@pytest.mark.parametrize("name", ["", "x", "a_long_name"])
def test_the_count_of_what_is_left_out_is_right(name: str) -> None:
    told = summarise("#" * 10_000, name, 200)
    left = int(told.split("[")[1].split(" ")[0].replace(",", ""))
    assert told.count("#") == 10_000 - left


def test_what_cannot_be_sent_or_stored_is_written_out() -> None:
    assert inline_text("a\x00\x1b[31mb\n\tc\ud800") == "a\\x00\\x1b[31mb\n\tc\\ud800"


def test_sets_show_the_same_elements_in_every_run() -> None:
    words = [f"word {number}" for number in range(500)]
    assert summarise(set(words)).startswith("set, 500 items\n{'word 0', 'word 1', 'word 10',")
    assert summarise({1, "a"}) in {"set, 2 items\n{1, 'a'}", "set, 2 items\n{'a', 1}"}


@pytest.mark.parametrize("budget", [0, 1, 2, 10, 30, 50, 80, 200, 1000])
@pytest.mark.parametrize(
    "value",
    [
        "x" * 5000,
        "\x00" * 5000,
        bytes(5000),
        list(range(5000)),
        {n: "v" * n for n in range(300)},
        FRAME,
        FRAME["word"],
        np.zeros((50, 50)),
        Endless(),
        [Endless()] * 100,
        Plain(1, list(range(50))),
        10**4000,
    ],
)
def test_the_budget_is_never_exceeded(value: object, budget: int) -> None:
    assert len(summarise(value, "name", budget)) <= budget
    assert len(inline_text(value, budget)) <= budget


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=40,
)


@given(VALUES, st.integers(0, 3000))
def test_any_plain_value_is_told_within_budget_and_can_be_sent(value: object, budget: int) -> None:
    for told in (summarise(value, "x", budget), inline_text(value, budget)):
        assert len(told) <= budget
        told.encode()


@given(st.lists(st.integers()) | st.dictionaries(st.integers(), st.booleans()))
def test_a_small_container_is_written_as_python_writes_it(value: object) -> None:
    if len(repr(value)) < BUDGET // 2 and len(value) <= 100:  # type: ignore[arg-type]
        assert inline_text(value) == repr(value)


def test_nothing_large_is_copied() -> None:
    text = "x" * 5_000_000
    values = [
        text,
        [text] * 1000,
        {text: text},
        Plain(1, [1] * 1_000_000),
        pd.DataFrame({f"c{n}": np.zeros(200_000) for n in range(10)}),
        pd.DataFrame({"text": [text] * 10}, dtype=object),
        np.zeros((2000, 1000))[:, ::2],
        dict.fromkeys(range(300_000)).keys(),
    ]
    # The first use of pandas' and numpy's printing loads modules, which is no copy.
    summarise(FRAME)
    summarise(np.zeros((50, 50)))
    tracemalloc.start()
    try:
        for value in values:
            summarise(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000


def test_a_value_that_pretends_is_seen_for_what_it_is() -> None:
    class Pretender:
        __class__ = pd.DataFrame  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "Pretender()"

    assert summarise(Pretender()).endswith("Pretender()")


def test_a_half_loaded_pandas_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", types.ModuleType("pandas"))
    assert summarise([1]) == "list, 1 item\n[1]"


def test_no_library_is_loaded_for_it() -> None:
    code = """if True:
        import sys
        import bestchat_kernel.options, bestchat_kernel.prompt, bestchat_kernel.summary
        bestchat_kernel.summary.summarise([1, {"a": object()}])
        heavy = {"pandas", "numpy", "IPython", "pydantic", "aiohttp", "sqlalchemy", "tornado"}
        print(sorted(heavy & set(sys.modules)))
    """
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=pathlib.Path(__file__).parents[3],
    )
    assert ran.stdout == "[]\n"


def test_functions_show_their_names() -> None:
    assert inline_text(functools.reduce) == "<built-in function reduce>"
