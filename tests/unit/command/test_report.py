"""The doctor's report: nothing stops it, and nothing secret stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bestchat_server_ext.command.report import (
    Finding,
    Redaction,
    Report,
    examined,
    ok,
    problem,
    warning,
)
from bestchat_server_ext.core.errors import Unavailable

SECRET = "correct-horse-battery"


def test_a_check_that_fails_says_so_and_quotes_nothing() -> None:
    def check() -> Iterator[Finding]:
        yield ok("This far.")
        raise ValueError(SECRET)

    (finding,) = examined(check)
    assert finding.level == "problem"
    assert "ValueError at test_report.py:" in finding.text
    assert SECRET not in finding.text + finding.todo


def test_an_error_of_ours_says_what_to_do() -> None:
    def check() -> Iterator[Finding]:
        raise Unavailable("It is gone.", hint="Bring it back.")

    assert examined(check) == (problem("It is gone.", "Bring it back."),)


def test_how_it_looks() -> None:
    report = Report(
        (
            ("First", (ok("Fine."), warning("Odd.", "Look."))),
            ("Second", (problem("word " * 30, "Mend it."),)),
        )
    )
    lines = report.text().splitlines()
    assert lines[2:6] == ["First", "  ok       Fine.", "  warning  Odd.", "           → Look."]
    assert lines[7:9] == ["Second", f"  problem  {'word ' * 17}word"]
    assert lines[9].startswith("           word")
    assert lines[-1] == "1 problem, 1 warning."
    assert max(map(len, lines)) <= 100
    assert Report((("First", (ok("Fine."),)),)).summary == "All is well."


def test_the_same_as_json() -> None:
    found = json.loads(Report((("First", (warning("Odd.", "Look."),)),)).json())
    assert (found["problems"], found["sections"]) == (
        0,
        [
            {
                "title": "First",
                "findings": [{"level": "warning", "text": "Odd.", "todo": "Look."}],
            }
        ],
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OPENAI_API_KEY", SECRET, SECRET),
        ("GITHUB_TOKEN", SECRET, SECRET),
        ("PGPASSWORD", SECRET, SECRET),
        ("https_proxy", f"http://ada:{SECRET}@proxy:3128", SECRET),
        ("HTTPS_PROXY", f"http://{SECRET}@proxy:3128", SECRET),
        ("ANY_URL", "postgresql://ada:se%40cret@db/chat", "se%40cret"),
        ("ANY_URL", "postgresql://ada:se%40cret@db/chat", "se@cret"),
    ],
)
def test_what_is_secret_is_taken_out(name: str, value: str, said: str) -> None:
    redaction = Redaction({name: value})
    cleaned = redaction.clean(Finding("ok", f"Somebody said {said}.", f"Try {said}."))
    assert cleaned == Finding("ok", "Somebody said ***.", "Try ***.")


def test_the_users_folder_is_not_named() -> None:
    cleaned = Redaction({}).clean(ok(f"{Path.home() / 'work'} is there."))
    assert cleaned.text == "~/work is there."


def test_what_is_not_secret_stays() -> None:
    environ = {"TOKENIZERS_PARALLELISM": "false", "KEY": "1", "URL": "http://host:80/a"}
    text = "false 1 http://host:80/a"
    assert Redaction(environ).clean(ok(text)).text == text
