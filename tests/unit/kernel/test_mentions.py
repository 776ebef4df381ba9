"""What can be mentioned beside variables."""

from __future__ import annotations

import threading
import time

import pytest

from bestchat_kernel import summary
from bestchat_kernel.attachment import Attachment
from bestchat_kernel.mentions import Places
from bestchat_kernel.patience import within
from bestchat_kernel.prompt import Prompt, prepare
from bestchat_server_ext.core.errors import InvalidRequest, NotFound


def file(path: str) -> Attachment:
    if path.startswith("no"):
        raise ValueError(f"{path!r} cannot be attached: No such file or directory.")
    return Attachment(path, f"text of {path}", kind="file")


def conversation(name: str) -> Attachment:
    if name.startswith("no"):
        raise NotFound("No conversation has the title 'no'.")
    return Attachment(name, "said", kind="conversation")


PLACES = Places(
    source={1: "import os", 3: "x" * 30_000}.get,
    output=lambda number: ([1, 2],) if number == 2 else (),
    error=lambda: "1 / 0\n\nZeroDivisionError: division by zero",
    file=file,
    page=lambda address: Attachment(address, "a page", kind="page", notes=("a note",)),
    conversation=conversation,
)


def prepared(text: str, **namespace: object) -> Prompt:
    return prepare(text, namespace, lambda _: pytest.fail("nothing to evaluate"), places=PLACES)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("what does @In[1] do?", ["In[1]"]),
        ("and @Out[2], then @In[1].", ["Out[2]", "In[1]"]),
        ("@In[1] @In[1]", ["In[1]"]),
        ("why @error", ["error"]),
        ("see @file:a/b.py.", ["a/b.py"]),
        ("(see @file:a.py)", ["a.py"]),
        ('see @file:"my notes.txt"!', ["my notes.txt"]),
        ("@file:x and @x", ["x", "x"]),
        ("`@In[1]` and mail@Out[2]", []),
        ("```\n@error @file:a\n```", []),
        ("@In[1].strip() or @Out[2](1)", []),
        ("@In[x] or @In[1", []),
    ],
)
def test_they_are_attached_in_order(text: str, names: list[str]) -> None:
    prompt = prepared(text, x=1)
    assert [it.name for it in prompt.attachments] == names
    assert prompt.text == text
    assert prompt.notes == ()


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("Read @url:https://example.org/a?b=c#d.", "https://example.org/a?b=c#d", "page"),
        ("(see @url:https://example.org/a)", "https://example.org/a", "page"),
        ("@url:https://example.org/C_(language).", "https://example.org/C_(language)", "page"),
        ('@url:"https://example.org/a b"', "https://example.org/a b", "page"),
        ("as in @conversation:Rivers?", "Rivers", "conversation"),
        ('as in @conversation:"About rivers"?', "About rivers", "conversation"),
    ],
)
def test_pages_and_conversations_are_attached(text: str, name: str, kind: str) -> None:
    prompt = prepared(text)
    (found,) = prompt.attachments
    assert (found.name, found.kind) == (name, kind)
    assert prompt.text == text
    assert prompt.notes == (("a note",) if kind == "page" else ())


def test_one_that_cannot_be_had_is_a_failure() -> None:
    with pytest.raises(NotFound):
        prepared("go on as in @conversation:none")


def test_code_names_nothing() -> None:
    text = "`@url:http://a` `@conversation:{{ 1 }}`"
    prompt = prepare(text, {}, lambda _: 1, places=PLACES)
    assert prompt.attachments == ()
    assert prompt.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "@url:{{ 1 }}",
        "see @url:https://example.org/{{ page }}",
        "see @url:https://example.org/{{ page }}.",
        "see @url:https://example.org/?q={{ page }}&x=1",
        '@url:"https://example.org/{{ page }}"',
        "as in @conversation:About-{{ x }}?",
        'as in @conversation:"About {{ x }}"',
    ],
)
def test_an_expression_is_no_part_of_an_address(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"takes no expression\. Write out what is meant"):
        prepare(text, {}, lambda _: "rivers", places=PLACES)


def test_an_expression_is_no_part_of_a_path() -> None:
    prompt = prepare("Read @file:a/{{ x }}", {}, lambda _: "b", places=PLACES)
    assert (prompt.text, prompt.attachments) == ("Read @file:a/b", ())
    assert prompt.notes == (
        "`@file:` takes no expression and was left as text: write the path out.",
    )


def test_braces_at_the_end_of_an_address_end_it() -> None:
    (found,) = prepared("{see @url:https://example.org/a}").attachments
    assert found.name == "https://example.org/a"


def test_what_is_attached() -> None:
    found = prepared("@In[1] @Out[2] @error @file:a").attachments
    assert [it.kind for it in found] == ["cell", "output", "traceback", "file"]
    assert found[0].summary == "import os"
    assert found[1].summary == "Out[2]: list, 2 items\n[1, 2]"
    assert "ZeroDivisionError" in found[2].summary
    (long,) = prepared("@In[3]").attachments
    assert len(long.summary) < 20_050
    assert long.summary.endswith("… [cut here]")


def test_a_variable_comes_before_the_last_error() -> None:
    (found,) = prepared("how large is the @error", error=0.5).attachments
    assert found.summary == "error: float\n0.5"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("@In[9]", "`@In[9]` is no cell that has run here and was left as text."),
        ("@Out[1]", "`@Out[1]` is no cell that gave a result here and was left as text."),
        (
            "@file:none.txt",
            (
                "`@file:none.txt` was left as text: 'none.txt' cannot be attached: "
                "No such file or directory."
            ),
        ),
    ],
)
def test_what_is_not_there_stays_text_with_a_note(text: str, note: str) -> None:
    prompt = prepared(text)
    assert (prompt.text, prompt.attachments, prompt.notes) == (text, (), (note,))


# A value's own code.


class Sleeper:
    def __repr__(self) -> str:
        time.sleep(600)
        return "never"


class Spinner:
    ended = threading.Event()

    def __repr__(self) -> str:
        try:
            while True:
                pass
        finally:
            self.ended.set()


@pytest.mark.parametrize("value", [Sleeper(), Spinner(), [1, Sleeper()]])
def test_a_repr_that_takes_for_ever_has_a_time_box(
    value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "SECONDS", 0.1)
    began = time.monotonic()
    prompt = prepared("what is @slow?", slow=value)
    assert time.monotonic() - began < 5
    (found,) = prompt.attachments
    assert found.summary.endswith(summary.LATE)
    assert prompt.notes == (
        "`@slow` took too long to say what is in it: only its type goes along.",
    )


def test_code_that_is_late_is_ended() -> None:
    Spinner.ended.clear()
    assert within(0.1, lambda: repr(Spinner()), "late") == "late"
    assert Spinner.ended.wait(20)


def test_what_is_in_time_gives_its_value_or_raises() -> None:
    assert within(20, lambda: 42, 0) == 42
    with pytest.raises(ZeroDivisionError):
        within(20, lambda: 1 // 0, 0)
