from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LABEXTENSION = ROOT / "labextension"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("make_api_types")


@pytest.fixture(scope="module")
def generator() -> None:
    if not (LABEXTENSION / "node_modules").exists():
        subprocess.run(["npm", "ci"], cwd=LABEXTENSION, check=True)


def test_the_openapi_document_is_fresh(script: ModuleType) -> None:
    fresh = script.OPENAPI.read_text(encoding="utf-8") == script.openapi_text()
    assert fresh, f"openapi.json is not fresh: run `{script.COMMAND}`"


def test_the_samples_in_typescript_are_fresh(script: ModuleType) -> None:
    fresh = script.FIXTURES.read_text(encoding="utf-8") == script.fixtures_text()
    assert fresh, f"fixtures.generated.ts is not fresh: run `{script.COMMAND}`"


def test_the_patterns_of_secrets_in_typescript_are_fresh(script: ModuleType) -> None:
    fresh = script.SECRET_PATTERNS.read_text(encoding="utf-8") == script.secret_patterns_text()
    assert fresh, f"secretPatterns.generated.ts is not fresh: run `{script.COMMAND}`"


def test_the_closing_codes_in_typescript_are_fresh(script: ModuleType) -> None:
    fresh = script.CLOSINGS_TYPES.read_text(encoding="utf-8") == script.closings_text()
    assert fresh, f"closings.generated.ts is not fresh: run `{script.COMMAND}`"


def test_the_typescript_types_are_fresh(generator: None) -> None:
    checked = subprocess.run(
        [sys.executable, "scripts/make_api_types.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_lock_file_names_no_registry() -> None:
    lock = (LABEXTENSION / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert not re.search(r"//[^\s]*(registry|npmjs)", lock)
