"""The page on the WebSocket says of each closing code what the code says."""

from __future__ import annotations

from pathlib import Path

from bestchat_server_ext.api.closing import CLOSINGS
from bestchat_server_ext.api.frames import HEARTBEAT_SECONDS
from bestchat_server_ext.settings.options import MAX_SOCKETS

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"

ANSWERS = {"yes": "yes", "when_needed": "when there is something to follow", "no": "no"}


def table() -> str:
    """The closing codes as the page has to show them."""
    return "\n".join(
        f"| {item.code} | `{item.name}` | {ANSWERS[item.again]} | {item.meaning} |"
        for item in CLOSINGS
    )


def test_every_closing_code_is_there_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page, f"put this into {PAGE.name}:\n\n{table()}"


def test_its_numbers_are_true() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"`heartbeat_seconds` ({HEARTBEAT_SECONDS:.0f})" in page
    assert f"{MAX_SOCKETS} lines open" in page
