"""Values in few words: what a model has to know of a variable, under a hard budget.

Nothing is copied whole to be cut afterwards: containers are read item by item until the budget
is used up, frames and arrays give a slice of themselves. Their libraries are never imported from
here; a value can only be a DataFrame where pandas is loaded already.
"""

from __future__ import annotations

import array
import dataclasses
import heapq
import re
import sys
from collections import UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from bestchat_kernel.patience import within
from bestchat_kernel.redaction import REDACTED, is_secret, is_secret_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

BUDGET = 2000
"""Characters that a value may take."""

_DEPTH = 4
"""Containers inside containers that are still opened."""
_ITEMS = 100
"""Items of the outermost container that are looked at."""
_NESTED_ITEMS = 10
"""Items of a container inside another one that are looked at."""
_ITEM_TEXT = 200
"""Characters of one text, or of one repr, inside a container."""
_CELL_TEXT = 40
"""Characters of one cell of a table, and of a column's name."""
_ROWS = 10
"""Rows of a table that are shown."""
_COLUMNS = 20
"""Columns of a frame that are named."""
_LARGE_INT = 4096
"""Bits from which on an integer is not written out: that takes quadratic time, or fails."""
_SORTABLE = 100_000
"""Elements up to which a set shows its smallest ones, so that two runs show the same."""

SECONDS = 2.0
"""How long a value's own code may take to say what is in it."""

LATE = "<no summary: it took too long>"
"""What stands in place of what a value did not say in time."""

_CUT = " … [the rest is left out]"

# Not even a repr is the same in the next kernel if it tells addresses.
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")

# What neither terminals nor databases take well. Line ends and tabs stay.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_SEQUENCES = (list, tuple, deque, array.array, UserList, *_VIEWS)
_SETS = (set, frozenset)
_MAPPINGS = (dict, UserDict)
_CONTAINERS = (*_SEQUENCES, *_SETS, *_MAPPINGS)

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    dict: ("{", "}"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Summary:
    head: str
    """What kind of thing it is, and how large."""
    body: Callable[[int], str]
    """Tells what is in it, in so many characters."""
    plain: bool = True
    """Whether the body says enough by itself, in the middle of a sentence."""


def summarise(value: object, name: str = "", budget: int = BUDGET) -> str:
    """Say in few words what a value is; never raises.

    Args:
        value: anything.
        name: the variable that holds it, to begin with; may be empty.
        budget: characters that the answer may have.

    Returns:
        A first line with kind and size, then contents; what is left out is marked.
    """
    prefix = f"{name}: " if name else ""
    told = _in_time(value, budget - len(prefix), repr)
    return _fit(_clean(prefix + told), budget)


def inline_text(value: object, budget: int = BUDGET) -> str:
    """A value as it is put into the middle of a sentence; never raises.

    Text stands for itself and numbers are only their digits; frames and arrays are summarised.
    """
    return _fit(_clean(_in_time(value, budget, str)), budget)


def headline(value: object) -> str:
    """Only what kind of thing a value is, and how large; runs hardly any of its own code."""
    try:
        return _clean(_described(value, repr).head)
    except Exception:  # noqa: BLE001 - as in `_told`
        return _type_name(type(value))


_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})


def _in_time(value: object, room: int, show: Callable[[object], str]) -> str:
    """What a value tells; code of its own, which may be anybody's, has a time box."""
    if type(value) in _ATOMS or _holds_atoms(value) or _is_of_numbers(value):
        return _told(value, room, show)
    late = f"{_type_name(type(value))}\n{LATE}"
    return within(SECONDS, lambda: _told(value, room, show), late)


def _holds_atoms(value: object) -> bool:
    """Whether what would be read of a container has no code of its own."""
    kind = type(value)
    if kind is dict:
        entries = islice(cast("dict[object, object]", value).items(), _ITEMS)
        return all(type(key) in _ATOMS and type(item) in _ATOMS for key, item in entries)
    if kind in {list, tuple}:
        return _ATOMS.issuperset(map(type, islice(cast("Iterable[object]", value), _ITEMS)))
    # A set is read to its end, for its smallest elements.
    return kind in _SETS and _ATOMS.issuperset(map(type, cast("Iterable[object]", value)))


def _is_of_numbers(value: object) -> bool:
    """Whether a value is a frame, series or array in which nothing has code of its own."""
    if _is_frame(value):
        return all(dtype.kind in _NUMBERS for dtype in value.dtypes)
    return (_is_series(value) or _is_array(value)) and value.dtype.kind in _NUMBERS


_NUMBERS = frozenset("biufcmM")


def _told(value: object, room: int, show: Callable[[object], str]) -> str:
    try:
        summary = _described(value, show)
        if summary.plain and show is str:
            return summary.body(room)
        return f"{summary.head}\n{summary.body(room - len(summary.head) - 1)}"
    except Exception as error:  # noqa: BLE001 - a value's own code may raise whatever it likes
        failure = _type_name(type(error))
        return f"{_type_name(type(value))}\n<no summary: {failure} was raised>"


def _described(value: object, show: Callable[[object], str]) -> _Summary:
    kind = type(value)
    name = _type_name(kind)
    if issubclass(kind, str):
        text = _text(value)
        return _Summary(f"{name}, {_count(len(text), 'character')}", partial(_fit, text))
    if (head := _data_head(value)) is not None:
        return _Summary(head, partial(_data_body, value), plain=False)
    if issubclass(kind, (bytes, bytearray)):
        raw = cast("bytes", value)
        # One byte takes up to four characters.
        head = f"{name}, {_count(len(raw), 'byte')}"
        return _Summary(head, lambda room: _bytes(raw, max(room, 0) // 5))
    if issubclass(kind, _CONTAINERS):
        size = len(cast("Sized", value))
        return _Summary(f"{name}, {_count(size, 'item')}", partial(_taken, _pieces(value)))
    if _has_generated_repr(value):
        return _Summary(name, partial(_taken, _pieces(value)))
    return _Summary(name, lambda room: _shown(value, room, show))


# Frames and arrays.


def _is_of(value: object, module: str, name: str) -> bool:
    """Whether a value is of a class of a library, which is not loaded to find that out."""
    known = getattr(sys.modules.get(module), name, None)
    return isinstance(known, type) and issubclass(type(value), known)


def _is_frame(value: object) -> TypeGuard[pd.DataFrame]:
    return _is_of(value, "pandas", "DataFrame")


def _is_series(value: object) -> TypeGuard[pd.Series]:
    return _is_of(value, "pandas", "Series")


def _is_array(value: object) -> TypeGuard[np.ndarray]:
    return _is_of(value, "numpy", "ndarray")


def _data_head(value: object) -> str | None:
    """Kind, size and types of a frame, a series or an array; none for all else."""
    if _is_frame(value):
        rows, columns = value.shape
        index = type(value.index).__name__
        told = f", {_count(rows, 'row')}, {_count(columns, 'column')}, {index}"
    elif _is_series(value):
        named = "" if value.name is None else f" {_cell(value.name)}"
        told = f"{named}, {_count(len(value), 'value')}, dtype {value.dtype}"
    elif _is_array(value):
        told = f", shape {value.shape}, dtype {_fit(str(value.dtype), _ITEM_TEXT)}"
    else:
        return None
    # "pandas DataFrame": the modules in between are the library's own affair.
    library, *_, name = _type_name(type(value)).split(".")
    return f"{library} {name}{told}"


def _data_body(value: object, room: int) -> str:
    if _is_frame(value):
        return _frame_body(value, room)
    if _is_series(value):
        return _table(value.iloc[:_ROWS].to_frame(), len(value), room, header=False)
    if _is_array(value):
        return _array_body(value, room)
    return ""


def _frame_body(frame: pd.DataFrame, room: int) -> str:
    named = frame.iloc[:0, :_COLUMNS]
    types = [f"{_cell(name)}: {dtype}" for name, dtype in zip(named, named.dtypes, strict=True)]
    left = frame.shape[1] - len(types)
    if left > 0:
        types.append(f"… {left:,} more")
    columns = _fit(f"Columns: {', '.join(types)}", room // 2)
    table = _table(frame.iloc[:_ROWS, :_COLUMNS], len(frame), room - len(columns) - 1)
    return f"{columns}\n{table}"


def _table(frame: pd.DataFrame, height: int, room: int, *, header: bool = True) -> str:
    """As many as fit of the first rows and columns of a frame that is `height` rows high."""
    text = ""
    for rows, columns in ((_ROWS, _COLUMNS), (5, 10), (3, 5), (2, 3)):
        part = _without_secret_rows(frame.iloc[:rows, :columns])
        cells = [_written(name, dtype) for name, dtype in zip(part, part.dtypes, strict=True)]
        # The stubs do not know that None asks for the default.
        text = part.to_string(formatters=cells, header=header)  # type: ignore[arg-type]
        if height > len(part):
            text += f"\n… {_count(height - len(part), 'more row')}"
        if len(text) <= room:
            break
    return _fit(text, max(room, 0))


def _written(column: object, dtype: Any) -> Callable[[object], str] | None:  # noqa: ANN401 - numpy's or pandas' own
    """How the cells of a column are written; none for pandas' own way."""
    if is_secret_name(column):
        return lambda _: REDACTED
    if dtype.kind != "O":
        return None

    def cell(value: object) -> str:
        secret = isinstance(value, str) and is_secret(column, value)
        return REDACTED if secret else _cell(value)

    return cell


def _without_secret_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """A part of a frame without the secrets that its index holds, or its rows' names speak of."""
    secret = [is_secret_name(label) for label in frame.index]
    if any(secret):
        frame = frame.astype(object)
        frame[secret] = REDACTED
    if any(map(is_secret_name, frame.index.names)):
        frame = frame.set_axis([REDACTED] * len(frame))
    return frame


def _array_body(values: np.ndarray, room: int) -> str:
    # A subclass may mean more than its numbers, for example with a mask over them.
    if type(values).__module__ != "numpy":
        return _shown(values, room, repr)
    few = 10
    if values.dtype.kind in "biufcmM" and values.ndim <= 2:  # noqa: PLR2004 - what a page shows
        text = str(sys.modules["numpy"].array2string(values, threshold=100, edgeitems=3))
        return _fit(text, room)
    first = ", ".join(_cell(item) for item in values.flat[:few].tolist())
    left = values.size - few
    return _fit(first + (f", … {left:,} more" if left > 0 else ""), room)


def _cell(value: object) -> str:
    """One cell of a table, on one line."""
    if isinstance(value, str):
        text = repr(_fit(value, _CELL_TEXT))[1:-1]
    elif issubclass(type(value), _CONTAINERS):
        text = _taken(_pieces(value), _CELL_TEXT)
    else:
        text = " ".join(_shown(value, _CELL_TEXT, str).split())
    return _fit(text, _CELL_TEXT)


# Containers, piece by piece.


def _pieces(value: object, depth: int = 0) -> Iterator[str]:
    """The repr of a value in pieces, so that a reader can stop; each piece is bounded."""
    kind = type(value)
    if issubclass(kind, str):
        text = _text(value)
        cut = "…" if len(text) > _ITEM_TEXT else ""
        yield repr(text[:_ITEM_TEXT]) + cut
    elif issubclass(kind, (bytes, bytearray)):
        yield _bytes(cast("bytes", value), _CELL_TEXT)
    elif issubclass(kind, _CONTAINERS):
        yield from _container(value, depth)
    elif (head := _data_head(value)) is not None:
        yield f"<{head}>"
    elif _has_generated_repr(value):
        yield from _fields(value, depth)
    elif _is_of(value, "numpy", "generic"):
        yield _shown(value, _ITEM_TEXT, str)
    else:
        yield _shown(value, _ITEM_TEXT, repr)


def _container(value: object, depth: int) -> Iterator[str]:
    kind = type(value)
    size = len(cast("Sized", value))
    opening, closing = _brackets(value)
    if depth >= _DEPTH and size:
        yield f"{opening}…{closing}"
        return
    limit = _ITEMS if depth == 0 else _NESTED_ITEMS
    shown = _mapping_items if issubclass(kind, _MAPPINGS) else _sequence_items
    yield opening
    for number, item in enumerate(shown(value, limit, depth)):
        yield ", " if number else ""
        yield from item
    if size > limit:
        yield f", … {size - limit:,} more"
    elif kind is tuple and size == 1:
        yield ","
    yield closing


def _brackets(value: object) -> tuple[str, str]:
    kind = type(value)
    if not value and kind is set:
        return "set(", ")"
    if kind in _BRACKETS:
        return _BRACKETS[kind]
    name = _type_name(kind)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return f"{name}(", ")"
    if issubclass(kind, (*_SETS, *_MAPPINGS)):
        return name + "({", "})"
    return f"{name}([", "])"


def _mapping_items(value: object, limit: int, depth: int) -> Iterator[Iterator[str]]:
    for key, item in islice(cast("dict[object, object]", value).items(), limit):
        yield _labelled(_taken(_pieces(key, depth + 1), _ITEM_TEXT) + ": ", key, item, depth)


def _sequence_items(value: object, limit: int, depth: int) -> Iterator[Iterator[str]]:
    names: tuple[str, ...] = getattr(type(value), "_fields", ())
    items = _smallest(value, limit) if issubclass(type(value), _SETS) else value
    for number, item in enumerate(islice(cast("Iterable[object]", items), limit)):
        name = names[number] if number < len(names) else ""
        yield _labelled(f"{name}=" if name else "", name, item, depth)


def _smallest(value: object, limit: int) -> Iterable[object]:
    """The elements of a set that are shown: the same in every run, where that can be had."""
    elements = cast("set[object]", value)
    if len(elements) > _SORTABLE:
        return elements
    try:
        return heapq.nsmallest(limit, elements)  # type: ignore[type-var]
    except Exception:  # noqa: BLE001 - elements of different kinds cannot be compared
        return elements


def _fields(value: object, depth: int) -> Iterator[str]:
    """A dataclass, read like a container, because one of its fields may be enormous."""
    name = _type_name(type(value))
    if depth >= _DEPTH:
        yield f"{name}(…)"
        return
    yield f"{name}("
    shown = [field.name for field in dataclasses.fields(cast("_Summary", value)) if field.repr]
    for number, field in enumerate(shown):
        yield ", " if number else ""
        yield from _labelled(f"{field}=", field, getattr(value, field), depth)
    yield ")"


def _labelled(label: str, name: object, value: object, depth: int) -> Iterator[str]:
    yield label
    if value is not None and is_secret_name(name):
        yield REDACTED
    else:
        yield from _pieces(value, depth + 1)


def _has_generated_repr(value: object) -> bool:
    """Whether a dataclass has the repr that was made for it: one of its own may hide things."""
    kind = type(value)
    if not dataclasses.is_dataclass(kind):
        return False
    # The same question, asked the same way, as in the standard library's pprint.
    made = getattr(kind.__repr__, "__wrapped__", None)
    return "__create_fn__" in getattr(made, "__qualname__", "")


# Text.


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _shown(value: object, room: int, show: Callable[[object], str]) -> str:
    """A value as it shows itself, or a clear substitute."""
    kind = type(value)
    if issubclass(kind, int) and (bits := int.bit_length(cast("int", value))) > _LARGE_INT:
        return f"<{_type_name(kind)} of {bits:,} bits>"
    if _is_of(value, "numpy", "generic"):
        show = str
    try:
        text = _text(show(value))
    except Exception as error:  # noqa: BLE001 - a value's own code may raise whatever it likes
        return f"<{_type_name(kind)}: {show.__name__} raised {_type_name(type(error))}>"
    return _ADDRESS.sub("", _fit(text, room))


def _text(value: object) -> str:
    """A text as nothing but a text, whatever a class made of it."""
    return value if type(value) is str else str.__str__(cast("str", value))


def _bytes(value: bytes, room: int) -> str:
    if len(value) <= room:
        return repr(bytes(value))
    half = room // 2
    left = len(value) - 2 * half
    return f"{bytes(value[:half])!r} … [{left:,} bytes left out] … {bytes(value[-half:])!r}"


def _taken(pieces: Iterator[str], room: int) -> str:
    """As much as fits, without making the rest."""
    taken, length = [], 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length > room:
            cut = _CUT if room > 2 * len(_CUT) else "…"
            return "".join(taken)[: max(room - len(cut), 0)] + cut
    return "".join(taken)


def _fit(text: str, room: int) -> str:
    """The text, with its middle left out if it is too long; never longer than `room`."""
    if len(text) <= room:
        return text
    widest = f" … [{len(text):,} characters left out] … "
    kept = room - len(widest)
    if kept < len(widest):
        return f"{text[: room - 1]}…" if room > 0 else ""
    tail = kept // 3
    left = len(text) - kept
    return f"{text[: kept - tail]} … [{left:,} characters left out] … {text[-tail:]}"


def _clean(text: str) -> str:
    """The text without what cannot be sent or stored: control characters, half characters."""
    visible = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return visible.encode("utf-8", "backslashreplace").decode("utf-8")


def _type_name(kind: type) -> str:
    """`module.Name`, from the type itself, whatever its metaclass says."""
    return type.__repr__(kind).removeprefix("<class '").removesuffix("'>").removeprefix("__main__.")
