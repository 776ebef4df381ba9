from __future__ import annotations

import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_both_languages_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = json.loads((ROOT / "labextension" / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "labextension" / "package-lock.json").read_text(encoding="utf-8"))
    version = project["project"]["version"]
    assert package["version"] == version
    assert (lock["version"], lock["packages"][""]["version"]) == (version, version)
