"""`bestchat doctor` looks at the keys that are stored in PostgreSQL, and changes none of them."""

from __future__ import annotations

import asyncio
import base64
import io

import asyncpg
import pytest

from bestchat_server_ext.command import main
from bestchat_server_ext.command.doctor import report

KEY = "sk-canary-0123456789-wxyz"
MASTER = f"one:{base64.b64encode(bytes(32)).decode()}"
ROWS = "SELECT * FROM provider_configs ORDER BY provider"


def done(url: str, query: str) -> list[asyncpg.Record]:
    async def work() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    return asyncio.run(work())


def test_it_tries_to_open_what_is_stored(
    environ: dict[str, str], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ |= {"BESTCHAT_DATABASE_URL": postgres_url, "BESTCHAT_MASTER_KEYS": MASTER}
    environ["BESTCHAT_DEFAULT_MODEL"] = ""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    for provider in ("anthropic", "openai"):
        monkeypatch.setattr("sys.stdin", io.StringIO(KEY))
        assert main(["keys", "set", provider]) == 0
    done(postgres_url, "UPDATE provider_configs SET sealed = '\\x01' WHERE provider = 'openai'")
    before = done(postgres_url, ROWS)

    sections = dict(report(environ).sections)
    (warning,) = [it for it in sections["Keys"] if it.text.startswith("The stored key")]
    assert "for openai cannot be read" in warning.text
    assert "anthropic" in "\n".join(it.text for it in sections["Models"])
    assert KEY not in report(environ).text()
    assert done(postgres_url, ROWS) == before
