"""Draw docs/floors.svg, the picture of the house in the README, from the import contracts.

The layers are read from pyproject.toml, where import-linter checks them: the picture cannot show
a house that is not there.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "floors.svg"

ROOMS = {
    "bestchat_kernel": "%%chat and %chat: faces inside a kernel",
    "command": "the `bestchat` command",
    "web": "HTTP and WebSocket, on Tornado",
    "client": "near and far",
    "testing": "shipped for plugin authors",
    "bootstrap": "the only place that chooses adapters",
    "dispatch": "procedure → service, access",
    "settings": "every option",
    "services": "the verbs; speak only to ports",
    "adapters": "one heavy library each",
    "ports": "protocols",
    "api": "every operation, declared once",
    "core": "values and decisions: no I/O, no clock",
}

SVG = "http://www.w3.org/2000/svg"
WIDTH, HEIGHT, GAP, MARGIN = 880, 54, 8, 24


def floors() -> list[list[str]]:
    """The floors from the top, each with its rooms."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    (layers,) = (item["layers"] for item in contracts if item.get("exhaustive"))
    return [["bestchat_kernel"], *([room.strip() for room in row.split("|")] for row in layers)]


def room(name: str, x: float, y: float, width: float) -> str:
    """One room: its name and what it is for."""
    middle = x + width / 2
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="6"/>'
        f'<text class="name" x="{middle:.0f}" y="{y + 23:.0f}">{name}</text>'
        f'<text class="what" x="{middle:.0f}" y="{y + 41:.0f}">{ROOMS[name]}</text>'
    )


def picture() -> str:
    """The whole house."""
    rows, y = [], float(MARGIN)
    for row in floors():
        width = (WIDTH - 2 * MARGIN - GAP * (len(row) - 1)) / len(row)
        rows += [room(name, MARGIN + i * (width + GAP), y, width) for i, name in enumerate(row)]
        y += HEIGHT + GAP
    arrow = f'<text class="what" x="{WIDTH / 2:.0f}" y="{y + 16:.0f}">imports only go down ↓</text>'
    return "\n".join(
        [
            f'<svg xmlns="{SVG}" viewBox="0 0 {WIDTH} {y + 30:.0f}" role="img">',
            "<title>The floors of BestChat</title>",
            "<style>",
            "rect{fill:#f6f8fa;stroke:#8c959f}",
            "text{font-family:ui-sans-serif,system-ui,sans-serif;text-anchor:middle;fill:#1f2328}",
            ".name{font-size:15px;font-weight:600}.what{font-size:12px;fill:#59636e}",
            "@media(prefers-color-scheme:dark){",
            "rect{fill:#161b22;stroke:#57606a}text{fill:#e6edf3}.what{fill:#9198a1}}",
            "</style>",
            *rows,
            arrow,
            "</svg>",
            "",
        ]
    )


def main() -> int:
    """Write the picture, or with --check say whether it is up to date."""
    if "--check" in sys.argv:
        fresh = PICTURE.read_text(encoding="utf-8") == picture()
        print("docs/floors.svg is fresh" if fresh else "stale: run scripts/make_floors_picture.py")
        return 0 if fresh else 1
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
