"""The picture of the floors shows the floors that are checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_picture_of_the_floors_is_fresh() -> None:
    command = [sys.executable, ROOT / "scripts" / "make_floors_picture.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
