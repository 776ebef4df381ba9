from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_kernel.prompt import Attachment, Prompt, compose, prepare
from bestchat_server_ext.core.errors import PromptError


class Estimator:
    """Data that can be called, as models in notebooks are."""

    def __call__(self) -> None:
        pass

    def __repr__(self) -> str:
        return "Estimator()"


@functools.cache
def cached() -> None:
    pass


NAMESPACE: dict[str, Any] = {
    "df": pd.DataFrame({"a": [1, 2]}),
    "x": 5,
    "y": "why",
    "größe": 3,
    "нет": 4,
    "नाम": 6,
    "fit": 7,
    "estimator": Estimator(),
    "user": {"name": "Ada"},
    # Code, which is never attached.
    "Estimator": Estimator,
    "cached": cached,
    "plot": lambda: None,
    "prepared": functools.partial(print),
    "bound": [].append,
    "sine": np.sin,
    "np": np,
    "length": len,
    "str": str,
}


def evaluate(source: str) -> object:
    return eval(source, {"math": math}, NAMESPACE)  # the test's own expressions


def read(text: str) -> Prompt:
    return prepare(text, NAMESPACE, evaluate)


def attached(text: str) -> list[str]:
    prompt = read(text)
    assert prompt.text == text
    return [attachment.name for attachment in prompt.attachments]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@df", ["df"]),
        ("why is @df slow?", ["df"]),
        ("  @df", ["df"]),
        ("see\n@df\nplease", ["df"]),
        ("see\r\n@df", ["df"]),
        ("see\t@df", ["df"]),
        ("see\u00a0@df", ["df"]),
        ("look at @df.", ["df"]),
        ("look at @df. Then go on.", ["df"]),
        ("look at @df...", ["df"]),
        ('he said "look at @df."', ["df"]),
        ("@df, @x; @y: (all) @df!", ["df", "x", "y"]),
        ("what is @df[0]?", ["df"]),
        ("@df's columns", ["df"]),
        ("@x and @df, then @x again", ["x", "df"]),
        ("@größe @нет @नाम", ["größe", "нет", "नाम"]),
        ("@ﬁt", ["fit"]),
        ("@user is a dictionary", ["user"]),
        ("@estimator does not converge", ["estimator"]),
        ('df.query("a > @x")', ["x"]),
        ("a `@y` and @x and ``@df` @df``", ["x"]),
        ("an escaped \\` @x \\` is no code", ["x"]),
        ("a lone ` and @x", ["x"]),
        ("`` and ` @x", ["x"]),
        ("`a\n\nb @x `", ["x"]),
        ("- a ` tick\n- another @x ` tick", ["x"]),
        ("# head `\n@x ` text", ["x"]),
        ("`code\\` @x `code`", ["x"]),
        ("@df\n@x\nplease compare", ["df", "x"]),
        ("@df\ndef f(): pass", ["df"]),
    ],
)
def test_a_mention_attaches_and_leaves_the_text_alone(text: str, names: list[str]) -> None:
    assert attached(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no mention at all",
        "@",
        "@ df",
        "a @ b",
        "write to ada@df",
        "write to ada@df.org",
        "(@df)",
        '"@df"',
        "x@df",
        "\\@df",
        "@@df",
        "@df.head",
        "@df.head()",
        "@df.größe",
        "@df._x",
        "@df.0",
        "@x(1)",
        "@x@mastodon.social",
        "`@df`",
        "`see @df`",
        "``see ` @df``",
        "`over two\nlines @df`",
        "> `see\n> @df`",
        "```\n@df\n```",
        "```python\n@df\n\n@x\n```",
        "~~~\n@df\n~~~",
        "   ```\n@df\n   ```",
        "```\n@df",
        "text\n```\n@df\n``\n~~~\n    ```\n@x",
        "````\n```\n@df\n````",
        "~~~ a ` b\n@df\n~~~",
        "- item\n\n  ```\n  @df\n\n  @x\n  ```",
        "1. item\n\n    ```\n    @df\n\n    @x\n    ```",
        "- ```\n  @df\n\n  @x\n  ```",
        "- a\n    - b\n\n        ```\n        @df\n\n        @x\n        ```",
        "> ```\n> @df\n> \n> @x\n> ```",
        "\t```\n\t@df\n\t```",
    ],
)
def test_what_is_no_mention_is_left_alone_in_silence(text: str) -> None:
    assert read(text) == Prompt(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("```\n@df\n```\n@x", ["x"]),
        ("```\n@df\n`````  \n@x", ["x"]),
        ("~~~\n```\n@df\n~~~\n@x", ["x"]),
        ("``` not a fence ```\n@x", ["x"]),
        ("    ```\n@x", ["x"]),
        ("- item\n\ntext\n\n    ```\n@x", ["x"]),
        ("1. a\n   ```\n   @df\n   ```\n2. @x", ["x"]),
        ("```\r\n@df\r\n```\r\n@x", ["x"]),
    ],
)
def test_after_a_fence_prose_goes_on(text: str, names: list[str]) -> None:
    assert attached(text) == names


@pytest.mark.parametrize("name", ["Estimator", "cached", "plot", "prepared", "bound"])
def test_code_is_never_attached(name: str) -> None:
    prompt = read(f"what does @{name} do?")
    assert prompt.text == f"what does @{name} do?"
    assert prompt.attachments == ()
    assert prompt.notes == (f"`@{name}` names code; only variables that hold data are attached.",)


@pytest.mark.parametrize("name", ["sine", "np", "length", "str"])
def test_code_of_libraries_is_never_attached_either(name: str) -> None:
    assert attached(f"@{name} @x") == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        "@cached\ndef f(): pass",
        "@cached\nasync def f(): pass",
        "@cached\nclass C: pass",
        "@cached  # faster\ndef f(): pass",
        "class C:\n    @property\n    def f(self): pass",
        "@cached\n@unknown\ndef f(): pass",
        "@estimator\ndef f(): pass",
        "@estimator\n@np.vectorize\n@cached\ndef f(): pass",
        '@app.route("/")\ndef f(): pass',
        "@x(1)\ndef f(): pass",
        "@cached\r\ndef f(): pass",
    ],
)
def test_decorators_are_no_mentions(text: str) -> None:
    assert read(text) == Prompt(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("see @dff", "`@dff` is not a variable here and was left as text. Did you mean `@df`?"),
        ("see @df2", "Did you mean `@df`?"),
        ("see @größen.", "Did you mean `@größe`?"),
        ("ask @anna", "`@anna` is not a variable here and was left as text."),
        ("@media (max-width: 3px) {}", "`@media` is not a variable here and was left as text."),
    ],
)
def test_an_unknown_name_stays_text_with_a_note(text: str, told: str) -> None:
    prompt = read(text)
    assert prompt.text == text
    assert prompt.attachments == ()
    assert len(prompt.notes) == 1
    assert prompt.notes[0].endswith(told)


def test_near_misses_never_name_code() -> None:
    (note,) = read("see @Estimatr").notes
    assert "Did you mean `@estimator`?" in note
    assert "`@Estimator`" not in note


@pytest.mark.parametrize(
    "text",
    [
        "npm i @types/node",
        "@import url(x.css);",
        "\\begin{tabular}{@{}l r@{}} \\makeatletter\\@ifnext",
        "@@ -1,3 +1,4 @@ def f",
        "@article{knuth, title={x}}",
        "@unknown(arg)",
        "@Test\nclass Foo {}",
        "ada@example.org, and @ada@example.org",
    ],
)
def test_what_was_surely_not_meant_makes_no_note(text: str) -> None:
    assert read(text) == Prompt(text)


@pytest.mark.parametrize(
    "text",
    [
        "@Override\npublic void run() {}",
        "@param x the number",
        "@media print { a { color: red } }",
        "class A { @Inject Foo foo; }",
        "{% for a in b %}{{a}}{% endfor %}",
        "{{x}} {{x }} {{ x}}",
        "{{}} {{ }} {{\n}} }} {{",
        "{x} {x!r} {{x}} f'{x:>{y}}'",
        '{"a": {"b": {"c": 1}}}',
        '{ "a": { "b": { "c": 1 } } }',
        r"\frac{{a}}{b} \frac{a}{{b}} x^{{y}}",
        "{{- x -}} {{% x %}} {{< x >}} {{> x }} {{#if x}}",
        "${{x}} #{x} %{x} $x {x}",
        "why is this slow?",
        "what's `{x}`? 100 % $HOME !ls %who ??",
        "```\n{{ x }}\n```",
        "~~~\n{{ 1 / 0 }}\n~~~",
        "```\n{{ unclosed",
        "- a\n\n  ```\n  {{ 1 / 0 }}\n  ```",
    ],
)
def test_what_is_no_expression_is_left_alone(text: str) -> None:
    assert read(text).text == text
    assert read(text).attachments == ()


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("{{ x }}", "5"),
        ("it is {{ x }}.", "it is 5."),
        ("{{ y }}", "why"),
        ("{{\nx\n}}", "5"),
        ("{{\tx\t}}", "5"),
        ("a{{ x }}b{{ x + 1 }}c", "a5b6c"),
        ("{{ user['name'] }}'s", "Ada's"),
        ("{{ {'a': {'b': 1}}['a'] }}", "{'b': 1}"),
        ("{{ {'a': {'b': 1 }} }}", "{'a': {'b': 1}}"),
        ("{{ 'a }} b' }}", "a }} b"),
        ("{{ '{{ a }}' }}", "{{ a }}"),
        ("{{ f'{x}' }}", "5"),
        ("{{ [\n  x,\n  x,\n] }}", "[5, 5]"),
        ("{{ x  # the number\n}}", "5"),
        ('{"a": {{ x }}}', '{"a": 5}'),
        ("in code `{{ x }}` too", "in code `5` too"),
        ("{{ a b }} and {{ x }}", "{{ a b }} and 5"),
        ("{{ x}} and {{ x }}", "{{ x}} and 5"),
        ("```\n{{ x }}\n```\n{{ x }}", "```\n{{ x }}\n```\n5"),
        ("{{ x }}\n```\n{{ x }}", "5\n```\n{{ x }}"),
        ("{{ None }}", "None"),
        ("{{ '\\d' }}", "\\d"),
        ("{{ 1 is 1 }}", "True"),
    ],
)
# What Python warns of in an expression is the user's to see when it is evaluated.
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_an_expression_is_put_in(text: str, sent: str) -> None:
    assert read(text).text == sent


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_each_expression_is_evaluated_once_in_order() -> None:
    seen: list[str] = []

    def record(source: str) -> object:
        seen.append(source)
        return len(seen)

    prompt = prepare("{{ b }} {{ a }}\n```\n{{ c }}\n```\n{{ b }} {{ x y }}", {}, record)
    assert seen == ["b", "a", "b"]
    assert prompt.text == "1 2\n```\n{{ c }}\n```\n3 {{ x y }}"


def test_looking_for_expressions_warns_of_nothing() -> None:
    assert prepare("{{ '\\d' is 1 }}", {}, lambda _: "put in").text == "put in"


def test_braces_without_inner_spaces_make_no_note() -> None:
    assert read("{{ x}} and {{ x }}").notes == ()
    assert read("{{x}} {{ }} {{}} {x}").notes == ()


def test_a_jinja_filter_is_python_and_so_it_is_evaluated() -> None:
    with pytest.raises(PromptError, match="NameError"):
        read("Hello {{ name | default('a') }}")


@pytest.mark.parametrize("source", ["user.name |", ".Values.x", "x y", "!ls", "x = 1", "for"])
def test_what_is_not_python_stays_text_with_a_note(source: str) -> None:
    prompt = read(f"a {{{{ {source} }}}} b")
    assert prompt.text == f"a {{{{ {source} }}}} b"
    assert prompt.notes == (
        f"`{{{{ {source} }}}}` is not a Python expression and was left as text.",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ nope }}", "`{{ nope }}` raised NameError: name 'nope' is not defined."),
        ("{{ 1 / 0 }}", "`{{ 1 / 0 }}` raised ZeroDivisionError: division by zero."),
        ("{{ {}['k'] }}", "`{{ {}['k'] }}` raised KeyError: 'k'."),
        ("{{ [\n][\n0] }}", "`{{ [ ][ 0] }}` raised IndexError: list index out of range."),
        ("${{ secrets.KEY }}", "`{{ secrets.KEY }}` raised NameError"),
        ("{{ await x }}", "`{{ await x }}` raised SyntaxError"),
    ],
)
def test_an_exception_in_an_expression_raises_one_line(text: str, told: str) -> None:
    with pytest.raises(PromptError) as caught:
        read(text)
    assert caught.value.info.text.startswith(told)
    assert "\n" not in str(caught.value)
    assert "code fence" in caught.value.info.hint
    assert "--raw" in caught.value.info.hint


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("two\nlines"), "raised ValueError: two lines."),
        (ValueError(), "raised ValueError."),
        (ValueError("long " * 1000), "raised ValueError: long long"),
        (Unspeakable(), "raised Unspeakable: "),
    ],
)
def test_any_exception_can_be_told(error: Exception, told: str) -> None:
    def fail(_: str) -> object:
        raise error

    with pytest.raises(PromptError) as caught:
        prepare("{{ x }}", {}, fail)
    assert told in caught.value.info.text
    assert len(caught.value.info.text) < 400
    assert caught.value.__cause__ is error


def test_an_interrupt_is_not_an_error_of_the_prompt() -> None:
    def interrupt(_: str) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("{{ x }}", {}, interrupt)


def test_a_value_is_summarised_and_never_pasted_whole() -> None:
    prompt = prepare("a {{ v }} b", {}, lambda _: "v" * 1_000_000)
    assert len(prompt.text) < 2100
    assert "characters left out" in prompt.text
    assert "pandas DataFrame, 2 rows, 1 column" in read("{{ df }}").text


def test_a_value_that_was_put_in_is_not_read_again() -> None:
    prompt = prepare("{{ v }} @x", {"x": 1, "y": 2}, lambda _: "@y {{ 1 / 0 }} ``` `")
    assert prompt.text == "@y {{ 1 / 0 }} ``` ` @x"
    assert [attachment.name for attachment in prompt.attachments] == ["x"]


@pytest.mark.parametrize("text", ["{{ x @y }}", "{{ [x, @df] }} {{ x }}", "@{{ x }}", "{{ '`' }}"])
def test_an_expression_is_no_place_for_a_mention(text: str) -> None:
    prompt = prepare(text, {"y": 1, "xxx": 2}, lambda _: "v")
    assert prompt.attachments == ()


def test_a_mention_beside_an_expression_still_counts() -> None:
    prompt = read("{{ '`' }} @x {{ '`' }}")
    assert prompt.text == "` @x `"
    assert [attachment.name for attachment in prompt.attachments] == ["x"]


def test_attachments_see_what_expressions_have_done() -> None:
    namespace: dict[str, object] = {}

    def assign(_: str) -> object:
        namespace["z"] = 9
        return ""

    (attachment,) = prepare("@z {{ (z := 9) }}", namespace, assign).attachments
    assert attachment == Attachment("z", "z: int\n9")


RAW = ["@df {{ x }}", "@unknown {{ not python }}", "{{ 1 / 0 }}", ""]


@pytest.mark.parametrize("text", RAW)
def test_raw_switches_both_off(text: str) -> None:
    assert prepare(text, NAMESPACE, evaluate, raw=True) == Prompt(text)


def test_notes_are_told_once_and_not_without_end() -> None:
    assert len(read("@dff @dff {{ a b }} {{ a b }}").notes) == 2
    notes = read(" ".join(f"@name{number}" for number in range(100))).notes
    assert len(notes) == 6
    assert notes[-1] == "95 more places were left as text."


def test_a_composed_prompt_is_text_and_one_block_for_each_attachment() -> None:
    prompt = Prompt("why?", (Attachment("a", "a: int\n1"), Attachment("b", "b: str\n```")))
    assert compose(prompt) == (
        "why?"
        "\n\n---\nAttached variable `a`:\n```text\na: int\n1\n```"
        "\n\n---\nAttached variable `b`:\n````text\nb: str\n```\n````"
    )


def test_a_prompt_without_attachments_is_its_text() -> None:
    assert compose(read("why is this slow?")) == "why is this slow?"


def test_what_is_sent_is_the_same_each_time() -> None:
    text = "compare @df with @user, {{ x }} times"
    assert compose(read(text)) == compose(read(text))
    assert "`df`" in compose(read(text))


# Text in which everything that means something is frequent.
MARKS = ["@", "{{", "}}", "`", "```", "~~~", ".", "(", "[", "]", "\\", "'", "- ", "> ", "# "]
SPACES = [" ", "  ", "    ", "\t", "\n", "\r\n", "\x00"]
WORDS = ["df", "x", "1", "def f", "class", "é", "न", "ा"]
PIECES = st.lists(st.sampled_from(MARKS + SPACES + WORDS) | st.text(max_size=3)).map("".join)


@given(PIECES | st.text())
def test_raw_text_is_sent_verbatim(text: str) -> None:
    assert compose(prepare(text, NAMESPACE, evaluate, raw=True)) == text


@given((PIECES | st.text()).map(lambda text: text.replace("{{", "{ {")))
def test_text_without_double_braces_is_never_altered(text: str) -> None:
    prompt = prepare(text, NAMESPACE, evaluate)
    assert prompt.text == text
    assert compose(prompt).startswith(text)
    assert {attachment.name for attachment in prompt.attachments} <= NAMESPACE.keys()


@given(PIECES | st.text())
def test_nothing_but_a_prompt_error_is_ever_raised(text: str) -> None:
    def fail(_: str) -> object:
        raise LookupError

    try:
        prepare(text, NAMESPACE, fail)
    except PromptError:
        assert "{{" in text
        assert "}}" in text


@given(PIECES)
def test_without_values_only_expressions_disappear(text: str) -> None:
    seen: list[str] = []

    def note(source: str) -> object:
        seen.append(source)
        return "\ue000"

    sent = prepare(text, {}, note).text
    assert sent.count("\ue000") == len(seen)
    for source in seen:
        assert source in text
    if not seen:
        assert sent == text
