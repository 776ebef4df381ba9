"""Write the table of providers in docs/providers.md anew, from the catalogue.

With `--check`, nothing is written: it fails if the page shows something else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bestchat_server_ext.adapters.catalog_file import FileCatalog, open_catalog
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import ModelFacts

PAGE = Path(__file__).parents[1] / "docs" / "providers.md"
BEGIN, END = "<!-- table: python scripts/make_provider_table.py -->", "<!-- end of the table -->"

HEAD = (
    "| provider | name | set | elsewhere | default model | models known | of them can | format |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)

CAN = {"tools": "tools", "images": "images", "reasoning": "reasoning", "cache": "caching"}
FORMATS = {"litellm": "through litellm", "local": "runs here", "scripted": "runs here"}


def code(*names: str | None) -> str:
    """Names as code, one after the other."""
    return ", ".join(f"`{name}`" for name in names if name)


def to_set(facts: ProviderFacts) -> str:
    """What has to be set before it can be asked, and what may be."""
    needed = [facts.key_name] if facts.needs_key else []
    needed += [item.name for item in facts.other_names if item.needed]
    if not facts.base_url and not needed and not facts.at_home:
        needed.append(facts.url_name)
    others = [name for name in facts.variables if name not in (*needed, facts.url_name)]
    return "; ".join(
        part for part in (code(*needed), f"perhaps {code(*others)}" if others else "") if part
    )


def abilities(models: Sequence[ModelFacts]) -> str:
    """How many of the models can do what."""
    counts = {
        word: sum(getattr(facts, field) is True for facts in models) for field, word in CAN.items()
    }
    return ", ".join(f"{word} {count}" for word, count in counts.items() if count)


def row(facts: ProviderFacts, catalog: FileCatalog) -> str:
    """The line of one provider."""
    models = catalog.models(facts.name)
    known = [str(len(models))] if models else []
    if facts.list_path is not None:
        known.append("its own list")
    cells = [
        f"[{facts.label}]({facts.docs})" if facts.docs else facts.label,
        code(facts.name),
        to_set(facts),
        code(facts.url_name),
        code(facts.default),
        " + ".join(known),
        abilities(models),
        FORMATS.get(facts.lane, facts.lane),
    ]
    return re.sub(" +", " ", f"| {' | '.join(cells)} |")


def table() -> str:
    """The table, with the day of what is in it."""
    catalog = open_catalog()
    rows = [row(facts, catalog) for facts in catalog.providers()]
    return "\n".join((BEGIN, f"As of {catalog.as_of}.", "", *HEAD, *rows, END))


def main() -> int:
    """Write the page, or check it."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    fresh = before + table() + rest.partition(END)[2]
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(fresh, encoding="utf-8")
        return 0
    if page == fresh:
        return 0
    print(f"{PAGE.name} is not fresh: run `python scripts/{Path(__file__).name}`")
    return 1


if __name__ == "__main__":
    sys.exit(main())
