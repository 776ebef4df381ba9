from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_kernel.options import OPTIONS, CellOptions, help_text, parse_line
from bestchat_server_ext.core.errors import InvalidRequest

GIVEN = [
    ("", CellOptions(), ""),
    ("   ", CellOptions(), ""),
    ("why is this slow?", CellOptions(), "why is this slow?"),
    (
        "-m openai/gpt-5 -c ID --new --out NAME --raw why doesn't @df work?",
        CellOptions(model="openai/gpt-5", conversation="ID", new=True, out="NAME", raw=True),
        "why doesn't @df work?",
    ),
    ("--model=a/b hi", CellOptions(model="a/b"), "hi"),
    ("--model a/b hi", CellOptions(model="a/b"), "hi"),
    ("-m=a/b hi", CellOptions(model="a/b"), "hi"),
    ("  -m   a/b   hi", CellOptions(model="a/b"), "hi"),
    ("-m a/b", CellOptions(model="a/b"), ""),
    ("-m a/b -m c/d hi", CellOptions(model="c/d"), "hi"),
    ('-c "my chat" hi', CellOptions(conversation="my chat"), "hi"),
    ("-c 'my chat' hi", CellOptions(conversation="my chat"), "hi"),
    ("--conversation='my chat'", CellOptions(conversation="my chat"), ""),
    ("-c 'the dog's bowl' hi", CellOptions(conversation="the dog's bowl"), "hi"),
    ("-c it's hi", CellOptions(conversation="it's"), "hi"),
    ('-c "--new" hi', CellOptions(conversation="--new"), "hi"),
    ("--conversation=-x hi", CellOptions(conversation="-x"), "hi"),
    ("--out=answer hi", CellOptions(out="answer"), "hi"),
    ("--out größe hi", CellOptions(out="größe"), "hi"),
    ("--out ﬁt hi", CellOptions(out="fit"), "hi"),
    ("--image a --image b hi", CellOptions(image=("a", "b")), "hi"),
    ("--attach 'my notes.txt' hi", CellOptions(attach=("my notes.txt",)), "hi"),
    ("--temperature 0.5 --max-tokens 90 hi", CellOptions(temperature=0.5, max_tokens=90), "hi"),
    ("--as json --schema P hi", CellOptions(form="json", schema="P"), "hi"),
    ("--quiet --keep-going hi", CellOptions(quiet=True, keep_going=True), "hi"),
    ("--system 'be brief' --max-cost 0.5", CellOptions(system="be brief", max_cost="0.5"), ""),
    ("-h", CellOptions(help=True), ""),
    ("--help", CellOptions(help=True), ""),
    ("-- --raw is text", CellOptions(), "--raw is text"),
    ("--raw --   -m too", CellOptions(raw=True), "-m too"),
    ("--", CellOptions(), ""),
    ("hi --raw -m x", CellOptions(), "hi --raw -m x"),
    ("- item", CellOptions(), "- item"),
    ("-", CellOptions(), "-"),
    ("-5 degrees", CellOptions(), "-5 degrees"),
    ("-.5 degrees", CellOptions(), "-.5 degrees"),
    ("-> what is this?", CellOptions(), "-> what is this?"),
    ("--- a rule", CellOptions(), "--- a rule"),
    ("--raw - item", CellOptions(raw=True), "- item"),
    ("--raw\thi", CellOptions(raw=True), "hi"),
]

VERBATIM = [
    'why doesn\'t "this" work?',
    r"C:\new\table 'unclosed",
    "print $x and {x} and {{ x }}",
    "two  spaces,\tand a tab  ",
    "what? is? this??",
    "@df -m --raw -- #!/bin/sh `ls` !ls %who",
]


@pytest.mark.parametrize(("line", "options", "rest"), GIVEN)
def test_options_are_read_at_the_beginning_only(line: str, options: CellOptions, rest: str) -> None:
    assert parse_line(line) == (options, rest)


@pytest.mark.parametrize("text", VERBATIM)
@pytest.mark.parametrize("before", ["", "--raw ", "-m a/b --new ", "-c 'x y' -- "])
def test_the_prompt_is_kept_verbatim(before: str, text: str) -> None:
    assert parse_line(before + text)[1] == text


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_text_after_two_dashes_is_kept_verbatim(text: str) -> None:
    assert parse_line(f"--raw -- {text}") == (CellOptions(raw=True), text.lstrip())


@given(st.text())
def test_a_line_is_parsed_or_refused(line: str) -> None:
    try:
        _, rest = parse_line(line)
    except InvalidRequest:
        return
    assert line.endswith(rest)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--modle x hi", "Did you mean --model?"),
        ("-model x hi", "Did you mean --model?"),
        ("--Raw hi", "Did you mean --raw?"),
        ("--converstion=x", "Did you mean --conversation?"),
        ("-x hi", "%%chat --help lists the options"),
        ("--verbose mode?", "write -- before a prompt that begins with a dash"),
        ("-m", "Write -m MODEL."),
        ("--out", "Write --out NAME."),
        ("-m --new hi", "Write -m MODEL."),
        ("-m -- hi", "Write -m MODEL."),
        ("--out= hi", "Write --out NAME."),
        ("-c '' hi", "Write -c ID."),
        ("-c 'open", "The quoted value of -c does not end."),
        ("--raw=yes hi", "--raw takes no value."),
        ("--out 3x hi", "'3x' cannot be the name of a variable."),
        ("--out a.b hi", "'a.b' cannot be the name of a variable."),
        ("--out class hi", "'class' cannot be the name of a variable."),
        ("--out None hi", "'None' cannot be the name of a variable."),
    ],
)
def test_a_mistake_is_told_in_one_line(line: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_line(line)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_option_tells_nothing_of_its_value() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_line("--api-key=sk-canary hi")
    assert "sk-canary" not in str(caught.value)
    assert "sk-canary" not in caught.value.info.field


def test_the_table_fills_every_field() -> None:
    fields = {field.name: field for field in dataclasses.fields(CellOptions)}
    assert sorted(option.field for option in OPTIONS) == sorted(fields)
    for option in OPTIONS:
        unset = {True: (), False: None if option.value else False}[option.many]
        assert fields[option.field].default == ("md" if option.field == "form" else unset)


def test_no_flag_is_declared_twice() -> None:
    flags = [flag for option in OPTIONS for flag in option.flags]
    assert len(flags) == len(set(flags))


def test_the_help_text_names_every_option() -> None:
    told = help_text()
    for option in OPTIONS:
        assert f"{', '.join(option.flags)} {option.value}".rstrip() in told
        assert option.help in told
