"""Whatever a model writes, no renderer may find a tag or an image in what is shown."""

from __future__ import annotations

import html
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import mistune
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from bestchat_kernel.markdown import safe_markdown

PLUGINS = ["strikethrough", "table", "url", "task_lists", "def_list"]
EXPORT = MarkdownWithMath(renderer=IPythonRenderer(escape=False))
RENDERERS: dict[str, Callable[[str], object]] = {
    "commonmark": MarkdownIt("commonmark", {"html": True}).render,
    "with tables": MarkdownIt("js-default", {"html": True, "linkify": False}).render,
    "mistune": mistune.create_markdown(escape=False, plugins=PLUGINS),
    "nbconvert": EXPORT.render,
}


APART = "\u200b"
"""The invisible space that keeps a sign from having a meaning."""


class Acts(HTMLParser):
    """Finds what a browser would act upon, and what Markdown itself never makes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"img", "script", "iframe", "svg", "b", "x"}:
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name.startswith("on")]

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}")


def acts(text: str) -> dict[str, list[str]]:
    """What is found in a text, by renderer."""
    found = {}
    for name, render in RENDERERS.items():
        parser = Acts()
        parser.feed(str(render(text)))
        parser.close()
        if parser.found:
            found[name] = parser.found
    return found


def shown(text: str) -> str:
    """A text as a reader sees it, without tags."""
    pieces: list[str] = []
    parser = HTMLParser()
    parser.handle_data = pieces.append  # type: ignore[method-assign]
    parser.feed(str(RENDERERS["commonmark"](safe_markdown(text))))
    parser.close()
    return "".join(pieces).strip("\n").replace(APART, "")


# What is left alone.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plain text, *emphasis*, [a link](https://example.org) and 1 < 2.",
        "```python\nif a <b: print('![x](u)')\n```",
        "```html\n<img src='x'>\n\n<script>\n```\n\nDone.",
        "~~~\n<b>\n```\n<b>\n~~~",
        "````md\n```html\n<b>\n```\n````",
        "$x < y$ and $$\na < b\n$$",
        "Wow! [a](b) costs $5 or $6.",
    ],
)
def test_what_cannot_act_stays_as_it_is(text: str) -> None:
    assert safe_markdown(text) == text
    assert acts(text) == {}


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("a <b>bold</b> word", "a <b>bold</b> word"),
        ("![x](http://e/x) there", "!x there"),
        ("![x][r]\n\n[r]: http://e/x", "!x"),
        ("see <https://e/x>", "see <https://e/x>"),
        ("<!-- hidden --> <?php ?>", "<!-- hidden --> <?php ?>"),
        ("$a<b$", "$a<b$"),
        ("$$\na<b\n$$", "$$\na<b\n$$"),
        ("Use `vector<int>` and `` a`<b> `` here.", "Use vector<int> and a`<b> here."),
        ("- a\n\n  ```html\n  <div>\n  ```", "a\n<div>"),
    ],
)
def test_what_could_act_becomes_text(text: str, reads: str) -> None:
    assert shown(text) == reads


def test_nothing_but_an_invisible_space_is_added() -> None:
    text = "1. Do `a<b>`:\n\n   ```html\n   <div>\n   ```\n\n> ![x](http://e/x)"
    assert safe_markdown(text) != text
    assert safe_markdown(text).replace(APART, "") == text


def test_an_image_becomes_a_link() -> None:
    html = str(RENDERERS["commonmark"](safe_markdown("![a cat](http://e/cat.png)")))
    assert html.replace(APART, "") == '<p>!<a href="http://e/cat.png">a cat</a></p>\n'


def test_what_is_still_open_is_closed() -> None:
    assert safe_markdown("```python\nx = 1") == "```python\nx = 1\n```"


@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "- ",
        "> - ",
        "\t",
        "<a ",
        "\\\\[",
        "\\begin{a}",
        "```py\nx\n",
        ">",
        "`",
        "[",
        "![",
        "``` ",
        "- ```mermaid ",
        "~~~ \t",
        "```{",
    ],
)
def test_a_million_characters_take_no_time_to_speak_of(unit: str) -> None:
    text = "<a " + unit * (1_000_000 // len(unit))
    assert safe_markdown(text).replace(APART, "").startswith("<a ")


def test_diagrams_are_shown_as_their_source() -> None:
    text = "```mermaid\nflowchart\n  A@{ img: 'http://e/x' }\n```"
    assert safe_markdown(text) == text.replace("mermaid", "text")


def languages(text: str) -> list[str]:
    """What follows the marks of each fence, as renderers find fences."""
    found = [token.info for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
    todo: list[Any] = list(mistune.create_markdown(renderer=None, plugins=PLUGINS)(text))
    while todo:
        token = todo.pop()
        todo += token.get("children", ())
        if token["type"] == "block_code":
            found.append(token.get("attrs", {}).get("info", ""))
    return [html.unescape(info) for info in found]


@pytest.mark.parametrize(
    "text",
    [
        *("  ```mermaid\n  A\n  ```", "   ~~~~ mermaid\n   A\n   ~~~~"),
        *("- ```mermaid\n  A\n  ```", "- x\n\n  ```mermaid\n  A\n  ```", "1. ``` MerMaid\n   A"),
        *("- - ~~~mermaid", "- x\n  - y\n\n    `````\t\u00a0mermaid\n    A\n    `````"),
        *("> ```mermaid\n> A\n> ```", "> - ```mermaid\n>   A", "- ```\ufeffmermaid\n  A"),
        *("  ```{mermaid}\n  A\n  ```", "- ``` {.mermaid}\n  A", "- ~~~mermaid `\n  A"),
        *("- ```x-mermaid\n  A", "- ```js,mermaid\n  A", "- ```&#109;ermaid\n  A"),
        # The outer fence may be none: then the inner one is.
        "- a\n  ```\n\n````md\n  ```mermaid\n  A\n  ```\n````",
    ],
)
def test_wherever_they_stand(text: str) -> None:
    assert "mermaid" in "".join([text.lower(), *languages(text)])
    safe = safe_markdown(text)
    assert "mermaid" not in safe.lower()
    assert not any("mermaid" in language.lower() for language in languages(safe))
    assert safe.replace(APART, "") == text


@pytest.mark.parametrize(
    "text", ["mermaid and `mermaid`", "- ```\n  mermaid\n  ```", "& ```python\n  ```"]
)
def test_the_word_alone_is_no_diagram(text: str) -> None:
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        # Already escaped, as it seems.
        r"\![x](http://e/x)",
        r"\\![x](http://e/x)",
        r"\\<img src=x>",
        # Backticks that are no code, or another code than they seem.
        "`a\n` <img src=x> `",
        r"\\`a` <img src=x> `b`",
        r"\`<img src=x>`",
        "`` ` <img src=x> ` `",
        "| a | b |\n|--|--|\n| ` | <img src=x> ` |",
        "[a](/u`) <img src=x> `",
        "[a](<`>) <img src=x> `",
        '[a](/u "`") <img src=x> `',
        "[a][r`] <img src=x> `\n\n[r`]: /u",
        "http://e/`a <img src=x> `",
        "http://e/<img src=x>",
        "$`$ <img src=x> `",
        "~a `x <img src=x> ~ b`",
        "~~~~```a <x>```",
        "foo `\n    ~~~ x ` <img src=x> `\nbar",
        # Fences that are none, or that end elsewhere than they seem.
        "- a\n  ```\n<img src=x>\n  ```",
        "1. ```\n   x\n   ```\n<img src=x>",
        "- ```\n  ```\n<img src=x>",
        "- a\n   ```\n  x\n   ```\n   <img src=x>\n   ```",
        "```\n```\u00a0\n```\n<img src=x>",
        "```\n```~\n<img src=x>\n```",
        "```\n```\t\n```\n<img src=x>\n```",
        "~~~\r~~~\r\n<img src=x>",
        "> ```\n<img src=x>",
        "> ```\n> <img src=x>",
        "> - ```\n>   ```\n> <img src=x>",
        "    ```\n<img src=x>",
        "a\n    ```\n    <img src=x>\n    ```",
        "```` a`b\n<img src=x>",
        "``` <img src=x onerror=y>\n```",
        "~~~ <img src=x>`\nx\n~~~",
        "a\n: ```\n    ```\n    <img src=x>",
        "[r]:\n```\n<img src=x>\n```",
        "$$\n\n```\n$$ <img src=x>\n```",
        "\\begin{a}\n\n```\n\\end{a} <img src=x>\n```",
        "a ``` b\n\t\n    ```\n    <x>",
        "[![x](http://e/x)](http://e/y)",
        "<img\nsrc=x>",
        "<scr<script>ipt>",
        "<b\x00>",
    ],
)
def test_tricks(text: str) -> None:
    assert acts(safe_markdown(text)) == {}


FRAGMENTS = [
    *("<img src=x onerror=y>", "<x>", "</x>", "<!--", "-->", "<?x", "<script>", "<b"),
    *("![a](http://e/x)", "![a][r]", "![r]", "[r]: http://e/x", "\n[r]:", "http://e/", "www.e.de/"),
    *("`", "``", "```", "````", "~~~", "```py\n", "\n```\n", "\n~~~\n", "\n```~\n", "\n``` \n"),
    *("\n  ```\n", "\n   ```\n  ", "\n    ```\n    ", "\n> ```\n", "- ```\n  ", "1. ```\n   "),
    *("\n> ", "\n>", "\n- ", "\n1. ", "\n  ", "\n    ", "\n\t", "\t", "\n", "\n\n", "\r", " "),
    *("\\", "\\\\", "$", "$$", "\\\\(", "\\\\)", "\\\\[", "\\\\]", "\\begin{a}", "\\end{a}"),
    *("|", " | ", "\n|--|--|\n", "\n| a | b |\n|--|--|\n| ", "](", '](/u "', '")', "[a](<", "]["),
    *("[", "]", ")", "*", "# ", "\n---\n", "\n===\n", "a", "word ", "\u00a0", "\x0b", "\u2028"),
    *("\n: ", "&lt;", "[^1]", "\n[^1]: ", "{", "}", "<http://e/", "a@b.de", "@@0@@", "~T"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=14).map("".join))
@example("]\n    ```\n    \n[^1]: \n```\n<img src=x onerror=y>\n    ```\n    \\\n    ```\n    ")
@example("![a][r]\n: </x>py\n```\n---\n\n|--|--|\nwww.e.com/<x>$```py\x85```py")
@example("\n>\n===\n: <script>````\\\\[\n```~\n\n\n[a](<- ```\n  \\end{a}<x><!--")
def test_no_mixture_of_them_acts(text: str) -> None:
    assert acts(safe_markdown(text)) == {}


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join))
def test_what_is_safe_stays_safe(text: str) -> None:
    assert acts(safe_markdown(safe_markdown(text))) == {}


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    assert acts(safe_markdown(text)) == {}
