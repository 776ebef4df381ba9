"""Secrets that are left out of what goes along."""

from __future__ import annotations

import runpy
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.prompt import Prompt, compose, prepare, safe
from bestchat_kernel.redaction import REDACTED, is_secret_name, redacted

# One table for the kernel and for the panel.
_SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
_SAMPLES = runpy.run_path(str(_SCRIPTS / "secret_samples.py"))
OPENAI, GITHUB, HEX = _SAMPLES["OPENAI"], _SAMPLES["GITHUB"], _SAMPLES["HEX"]


@pytest.mark.parametrize(("text", "sent"), _SAMPLES["SECRETS"])
def test_what_looks_like_a_secret_is_left_out(text: str, sent: str) -> None:
    assert redacted(text) == (sent, 1)
    assert redacted(sent) == (sent, 0)


@pytest.mark.parametrize("text", _SAMPLES["NO_SECRETS"])
def test_what_is_none_stays(text: str) -> None:
    assert redacted(text) == (text, 0)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "openai_api_key",
        "apikey",
        "auth_token",
        "accessToken",
        "userPassword",
        "X-Api-Key",
        ("login", "password"),
    ],
)
def test_names_of_secrets(name: object) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["token", "tokens", "passwords_df", "keys", "secretary", "author"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


def prepared(text: str, namespace: dict[str, object]) -> Prompt:
    return safe(prepare(text, namespace, lambda source: eval(source, dict(namespace))))


def test_a_mentioned_secret_is_not_sent_and_the_user_is_told() -> None:
    config = {"user": "ada", "password": "hunter2", "key": OPENAI}
    prompt = prepared(
        "What is wrong with @config and @api_key?", {"config": config, "api_key": "abc"}
    )
    sent = compose(prompt)
    assert "hunter2" not in sent
    assert OPENAI not in sent
    assert "abc" not in sent
    assert "'user': 'ada'" in sent
    assert prompt.notes == (
        "left out of what is sent: 2 likely secrets in `@config`.",
        "left out of what is sent: what looks like a secret in `@api_key`.",
    )


def test_a_secret_in_an_expression_is_not_sent_either() -> None:
    prompt = prepared("Log in with {{ key }}", {"key": OPENAI})
    assert prompt.text == f"Log in with {REDACTED}"
    assert prompt.notes == ("left out of what is sent: what looks like a secret in `{{ key }}`.",)


def test_a_column_of_secrets_is_not_shown() -> None:
    users = pd.DataFrame({"name": ["ada", "bob"], "password": ["hunter2", "12345"], "pwd": [1, 2]})
    sent = compose(prepared("Describe @users", {"users": users}))
    assert "hunter2" not in sent
    assert "12345" not in sent
    assert sent.count(REDACTED) == 4
    assert "ada" in sent


def test_files_and_errors_are_looked_through_as_well() -> None:
    prompt = safe(Prompt("x", (Attachment("a.env", f"KEY={GITHUB}", kind="file"),)))
    assert prompt.attachments[0].summary == f"KEY={REDACTED}"
    assert prompt.notes == ("left out of what is sent: what looks like a secret in `a.env`.",)


def attached(value: object, name: str = "value") -> str:
    return compose(prepared(f"Look at @{name}", {name: value}))


def test_a_token_is_left_out_if_it_looks_like_one() -> None:
    assert HEX not in attached(HEX, "token")
    assert "understanding" in attached("understanding", "token")
    tokens = pd.DataFrame({"token": [HEX, "under"], "n": [1, 2]})
    sent = attached(tokens)
    assert HEX[:12] not in sent
    assert "under" in sent


@dataclass
class Login:
    user: str
    password: str


@pytest.mark.parametrize(
    "value",
    [
        {"user": "ada", "password": ["hunter", "hunter2"]},
        {"user": "ada", "password": {0: "hunter", 1: {"a": "hunter2"}}},
        [{"user": "ada", "password": b"hunter"}],
        Login("ada", "hunter"),
        pd.DataFrame({("login", "user"): ["ada"], ("login", "password"): ["hunter"]}),
        pd.DataFrame({("password", "first"): ["hunter"], ("user", ""): ["ada"]}),
        pd.DataFrame({"user": ["ada"]}, index=pd.Index(["hunter"], name="password")),
        pd.DataFrame({"user": ["ada"], "password": ["hunter"]}).T,
        pd.DataFrame({"user": ["ada"], "password": ["hunter"]}).set_index(["password", "user"]),
        pd.Series({"user": "ada", "password": "hunter"}),
        pd.Series(["hunter"], name="password"),
    ],
)
def test_a_value_is_left_out_by_its_name_wherever_that_stands(value: object) -> None:
    prompt = prepared("Look at @value", {"value": value})
    sent = compose(prompt)
    assert "hunter" not in sent
    assert REDACTED in sent
    assert "`@value`" in prompt.notes[0]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        *("_", "-", " ", "\n", "=", "a", "0", "'", "{", "\\"),
        *("a-", "a.", "a_", "A_", " a", "a0", "a=", "sk-", "SG.aaaaaaaaaaaaaaaa", "eyJaaaaaaaa."),
        *("x://a:", "x://a:a@", "bearer ", "authorization: ", "token", "token: a"),
        *("password", "password=", "password: ", "password='", "password: ['", "password=a;"),
        *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----"),
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    redacted(piece * (50_000 // len(piece)))
