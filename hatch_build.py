"""Builds the browser's side into the wheel, where a checkout has not built it yet.

A source distribution holds it, so that only checkouts need Node.js.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LabextensionHook(BuildHookInterface[Any]):
    """Runs npm if `labextension/dist` is not there; `make panel` brings one up to date."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the extension before the wheel's files are collected."""
        del version, build_data
        root = Path(self.root)
        folder = root / "labextension"
        built = (
            folder / "dist" / "package.json",
            root / "bestchat_kernel" / "static" / "widget.js",
        )
        if all(path.exists() for path in built):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("Building BestChat's panel needs Node.js 20 or newer with npm.")
        for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run([npm, *command], cwd=folder, check=True)  # noqa: S603  npm alone
