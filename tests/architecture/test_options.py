"""Options are declared once: Jupyter's configuration and the page on them say what settings say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bestchat_server_ext.settings import Settings, load_with_origins, variable
from bestchat_server_ext.web.extension import BestChat

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

HEAD = "| option | what it is | kind | default | variable |"

KINDS = {
    "string": "text",
    "integer": "number",
    "boolean": "yes or no",
    "array": "list",
    "path": "folder",
}


def test_every_option_can_be_set_in_jupyters_configuration() -> None:
    assert set(BestChat.class_own_traits(config=True)) == set(Settings.model_fields)


def table() -> str:
    """The options as the page has to show them."""
    properties = Settings.model_json_schema()["properties"]
    rows = [HEAD, "| --- | --- | --- | --- | --- |"]
    for option in load_with_origins({}).options():
        default = "in Jupyter's data folder" if option.name == "data_dir" else option.value
        cells = [
            f"`{option.name}`",
            option.description,
            kind(properties[option.name]),
            default,
            f"`{variable(option.name)}`",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return re.sub(" +", " ", "\n".join(rows))


def kind(schema: dict[str, Any]) -> str:
    """What somebody has to write there, in one or two words."""
    one = next((item for item in schema.get("anyOf", ()) if item["type"] != "null"), schema)
    name = KINDS["path" if one.get("format") == "path" else one["type"]]
    if "minimum" in one:
        name += f", {one['minimum']} to {one['maximum']}"
    return name


def test_the_page_shows_every_option_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    expected = table()
    assert expected in page, f"put this into {PAGE.name}:\n\n{expected}"
