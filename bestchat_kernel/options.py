"""The options of `%%chat`: a few words at the beginning of its line; the rest is prompt.

A shell's rules would be wrong here, because what follows is prose: `why doesn't it work?` holds
an unclosed quote. So options stand only at the beginning, and from the first word that is none,
every character is the user's.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from bestchat_server_ext.core.cost import picodollars
from bestchat_server_ext.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What was asked for at the beginning of a `%%chat` line."""

    model: str | None = None
    """Model reference of who is to answer; the default model if none."""
    conversation: str | None = None
    """The conversation to continue; the kernel's own if none."""
    new: bool = False
    """Whether to begin a new conversation."""
    out: str | None = None
    """Name of the variable that takes the answer."""
    raw: bool = False
    """Whether the prompt is sent exactly as it is written."""
    system: str | None = None
    """Standing instructions, for this conversation from now on."""
    temperature: float | None = None
    """How far to stray from the likeliest word; the provider's own default if none."""
    max_tokens: int | None = None
    """Tokens after which the answer is cut off; the model's own limit if none."""
    max_cost: str | None = None
    """US dollars that the whole conversation may cost from now on, as a decimal number."""
    image: tuple[str, ...] = ()
    """Variables whose pictures go along."""
    attach: tuple[str, ...] = ()
    """Paths of text files that go along."""
    form: str = "md"
    """What the answer is to be: one of `FORMS`."""
    schema: str | None = None
    """Name of the variable that says what JSON has to look like."""
    insert: bool = False
    """Whether the code goes into a cell below."""
    quiet: bool = False
    """Whether the answer is not shown."""
    keep_going: bool = False
    """Whether a failure only says so, and raises nothing."""
    help: bool = False
    """Whether only the help text is wanted."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: how it is written and what it is for."""

    field: str
    """The field of `CellOptions` that it fills."""
    flags: tuple[str, ...]
    """All its spellings, the short one first."""
    help: str
    """What it does, for the help text."""
    value: str = ""
    """What its value is called in the help text; empty for a switch, which takes none."""
    read: Callable[[str], str | float] = str
    """Turns the value as written into the value that counts, or raises `InvalidRequest`."""
    many: bool = False
    """Whether it may be given several times."""


def variable_name(text: str) -> str:
    """A name that can be assigned to, in the form in which Python keeps it.

    Raises:
        InvalidRequest: it is no such name.
    """
    name = unicodedata.normalize("NFKC", text)
    if not name.isidentifier() or keyword.iskeyword(name):
        raise InvalidRequest(
            f"{_short(text)!r} cannot be the name of a variable.",
            hint="Use letters, digits and underscores, and no word of the language.",
            field="--out",
        )
    return name


FORMS = ("text", "md", "code", "json", "table")
"""What an answer can be asked to be."""


def _form(text: str) -> str:
    if text not in FORMS:
        raise InvalidRequest(
            f"{_short(text)!r} is nothing that an answer can be.",
            hint=f"Write one of {', '.join(FORMS)}.",
            field="--as",
        )
    return text


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _HOTTEST:
        raise InvalidRequest(
            f"{_short(text)!r} is no temperature.",
            hint=f"Write a number from 0 to {_HOTTEST}.",
            field="--temperature",
        )
    return value


def _tokens(text: str) -> int:
    if _COUNT.fullmatch(text) is None:
        raise InvalidRequest(
            f"{_short(text)!r} is no number of tokens.",
            hint="Write a whole number, for example 500.",
            field="--max-tokens",
        )
    return int(text)


def _amount(text: str) -> str:
    picodollars(text)
    return text


_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_HOTTEST = 2
"""The highest temperature that any provider takes."""

OPTIONS = (
    Option("model", ("-m", "--model"), "the model that answers, as provider/model", "MODEL"),
    Option(
        "conversation",
        ("-c", "--conversation"),
        "continue this conversation, by id or 'title'",
        "ID",
    ),
    Option("new", ("--new",), "begin a new conversation"),
    Option("out", ("--out",), "put the answer into this variable", "NAME", variable_name),
    Option("raw", ("--raw",), "send the prompt as it is, without @name and {{ expression }}"),
    Option("system", ("--system",), "standing instructions for this conversation", "'TEXT'"),
    Option("temperature", ("--temperature",), "from 0 (the likeliest) to 2", "N", _temperature),
    Option("max_tokens", ("--max-tokens",), "cut the answer off after so many", "N", _tokens),
    Option("max_cost", ("--max-cost",), "stop before the conversation costs more", "USD", _amount),
    Option(
        "image",
        ("--image",),
        "send the picture of a variable along: a figure, a PIL image",
        "NAME",
        many=True,
    ),
    Option("attach", ("--attach",), "send a text file along", "PATH", many=True),
    Option("form", ("--as",), f"what to get: {', '.join(FORMS)}", "FORM", _form),
    Option(
        "schema",
        ("--schema",),
        "the pydantic model, type or JSON Schema that the JSON has to fit",
        "NAME",
    ),
    Option("insert", ("--insert",), "put the Python of the answer into one cell below"),
    Option("quiet", ("--quiet",), "do not show the answer"),
    Option("keep_going", ("--keep-going",), "say what failed and run on; --out is then None"),
    Option("help", ("-h", "--help"), "show this text and send nothing"),
)

_BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}

# A dash makes an option only before a letter: "- item", "-5 degrees" and "->" begin a prompt.
_OPTION = re.compile(r"(?P<end>--)(?!\S)|(?P<flag>--?[^\W\d_][^\s=]*)(?P<equals>=?)")

# The closing quote is the one before white space, so that 'the dog's bowl' needs no escape.
_VALUE = re.compile(r"""(?P<quote>['"])(?P<quoted>.*?)(?P=quote)(?!\S)|(?P<plain>\S+)""")


def parse_line(line: str) -> tuple[CellOptions, str]:
    """Split the line of a `%%chat` magic into its options and the prompt text that follows.

    Args:
        line: what stands after `%%chat`, on the same line.

    Returns:
        The options; and the rest of the line, verbatim, from its first visible character on.

    Raises:
        InvalidRequest: an option is unknown, lacks its value or has a value that cannot be used.
    """
    values: dict[str, str | float | tuple[str | float, ...]] = {}
    rest = line.lstrip()
    while (found := _OPTION.match(rest)) is not None:
        rest = rest[found.end() :]
        if found["end"]:
            rest = rest.lstrip()
            break
        option = _known(found["flag"])
        if option.value:
            value, rest = _take_value(option, rest, found)
            taken = option.read(value)
            before = values.get(option.field, ())
            several = (*before, taken) if isinstance(before, tuple) else (taken,)
            values[option.field] = several if option.many else taken
        elif found["equals"]:
            raise InvalidRequest(
                f"{found['flag']} takes no value.", hint="Write it alone.", field=found["flag"]
            )
        else:
            values[option.field] = True
        rest = rest.lstrip()
    # The table names exactly the fields, with the right kind of value: a test holds it to that.
    return CellOptions(**values), rest  # type: ignore[arg-type]


def help_text() -> str:
    """What `%%chat --help` shows."""
    rows = [(f"{', '.join(option.flags)} {option.value}".rstrip(), option) for option in OPTIONS]
    width = max(len(left) for left, _ in rows)
    return "\n".join(
        [
            "%%chat [options] [prompt]",
            "",
            "Ask a model. The prompt is the rest of the line and the text of the cell;",
            "@name attaches a variable, {{ expression }} puts in a value.",
            "",
            "Options, at the beginning of the line:",
            *(f"  {left:<{width}}  {option.help}" for left, option in rows),
            f"  {'--':<{width}}  end of the options; all that follows is prompt",
        ]
    )


def _known(flag: str) -> Option:
    option = _BY_FLAG.get(flag)
    if option is not None:
        return option
    near = get_close_matches(flag, _BY_FLAG, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    raise InvalidRequest(
        f"%%chat has no option {_short(flag)!r}.",
        hint=f"{guess}%%chat --help lists the options; "
        "write -- before a prompt that begins with a dash.",
        field=_short(flag),
    )


def _take_value(option: Option, rest: str, found: re.Match[str]) -> tuple[str, str]:
    """The value at the beginning of `rest`, and what follows it."""
    flag = found["flag"]
    written = _VALUE.match(rest if found["equals"] else rest.lstrip())
    value = (written["quoted"] or written["plain"]) if written else None
    if written is None or not value:
        raise _missing(option, flag)
    if written["plain"]:
        if value[0] in "'\"":
            raise InvalidRequest(
                f"The quoted value of {flag} does not end.", hint="Close the quotes.", field=flag
            )
        if value[0] == "-" and not found["equals"]:
            raise _missing(option, flag)
    return value, written.string[written.end() :]


def _missing(option: Option, flag: str) -> InvalidRequest:
    return InvalidRequest(
        f"{flag} needs a value.", hint=f"Write {flag} {option.value}.", field=flag
    )


def _short(text: str, longest: int = 40) -> str:
    """Enough of what was typed to recognise it in an error."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
