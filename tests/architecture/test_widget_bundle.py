"""What travels with `ChatPanel`, and stays in notebooks that keep their widgets."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parents[2] / "bestchat_kernel" / "static"
MOST_BYTES = 200_000


def test_it_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in STATIC.glob("widget.*")}
    assert set(sizes) == {"widget.js", "widget.css"}
    assert sum(sizes.values()) <= MOST_BYTES


def test_what_others_wrote_is_named() -> None:
    named = (STATIC / "licenses.txt").read_text(encoding="utf-8")
    for package in ("preact 10.", "marked 17.", "@lumino/signaling 2."):
        assert package in named
    assert named.count("Copyright") >= 3


def test_it_needs_nothing_else() -> None:
    code = (STATIC / "widget.js").read_text(encoding="utf-8")
    assert "export{" in code
    assert "import(" not in code
    assert 'from"' not in code
