"""The page on providers shows what the catalogue says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_providers_is_fresh() -> None:
    command = [sys.executable, ROOT / "scripts" / "make_provider_table.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
