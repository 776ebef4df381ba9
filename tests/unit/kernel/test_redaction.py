"""Secrets that are left out of what goes along."""

from __future__ import annotations

import pandas as pd
import pytest

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.prompt import Prompt, compose, prepare, safe
from bestchat_kernel.redaction import REDACTED, is_secret_name, redacted

# Put together here, so that nobody who looks for keys finds any in this file.
OPENAI = "sk-" + "proj-abcDEF0123456789abcDEF"
GITHUB = "ghp" + "_0123456789abcdefABCDEF0123456789abcd"
AMAZON = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (f"key {OPENAI} end", f"key {REDACTED} end"),
        (GITHUB, REDACTED),
        (f"['{AMAZON}', 2]", f"['{REDACTED}', 2]"),
        (JWT, REDACTED),
        (f"a\n{PEM}\nb", f"a\n{REDACTED}\nb"),
        (PEM[:50], REDACTED),
        ("Authorization: Bearer abcdef0123456789", f"Authorization: Bearer {REDACTED}"),
        ("postgresql://ada:hunter2@db/x", f"postgresql://ada:{REDACTED}@db/x"),
        ("redis://:hunter2@cache", f"redis://:{REDACTED}@cache"),
        ("{'password': 'hunter2', 'n': 1}", f"{{'password': '{REDACTED}', 'n': 1}}"),
        ('{"api_key": "x y"}', f'{{"api_key": "{REDACTED}"}}'),
        ("User(name='ada', db_password='x\\'y')", f"User(name='ada', db_password='{REDACTED}')"),
        ("SECRET_KEY=abcd1234\nDEBUG=1", f"SECRET_KEY={REDACTED}\nDEBUG=1"),
        ("export HF_TOKEN=abcd1234", f"export HF_TOKEN={REDACTED}"),
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str, sent: str) -> None:
    assert redacted(text) == (sent, 1)
    assert redacted(sent) == (sent, 0)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=500, tokens: ['a', 'b']",
        "{'token': 'Hello', 'tokens': 'many'}",
        "the password is asked for: see below",
        "def login(password: str, token=None):",
        "https://example.com/a:b?c=d@e",
        "task-list, risk-taking, sk-learn",
        "df['secretary'] = 'Ada'",
        "basic knowledge",
        "2026-11-26 05:00:00",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert redacted(text) == (text, 0)


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "openai_api_key", "apikey", "auth_token"]
)
def test_names_of_secrets(name: str) -> None:
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


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["a-", "a.", "eyJ-", "a_", "sk-", "x://a:", "'", "A_", "-----BEGIN PRIVATE KEY-----"]
)
def test_no_text_takes_long(piece: str) -> None:
    redacted(piece * (100_000 // len(piece)))
