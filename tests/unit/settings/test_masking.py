from __future__ import annotations

import pytest

from bestchat_server_ext.settings import masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", ""),
        ("local/smollm2-135m", "local/smollm2-135m"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("postgresql://ada:secret@host:5432/db", "postgresql://ada:***@host:5432/db"),
        ("postgresql://ada@host/db", "postgresql://***@host/db"),
        ("postgresql://ada:se@cr/et@host/db", "postgresql://ada:***@host/db"),
        ("postgresql://:secret@host/db", "postgresql://:***@host/db"),
        ("postgresql:///db?password=secret", "postgresql:///db?…"),
        ("postgresql://ada:s?e@host/db?x=1", "postgresql://ada:***@host/db?…"),
        ("https://token@host/v1", "https://***@host/v1"),
        ("postgresql://host/db#secret", "postgresql://host/db#…"),
        ("https://host/v1?key=a#secret", "https://host/v1?…"),
        ("https://host/v1#secret?x", "https://host/v1#…"),
    ],
)
def test_an_address_without_what_is_secret(address: str, shown: str) -> None:
    assert masked(address) == shown
    assert masked(shown) == shown
