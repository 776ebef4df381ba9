"""JupyterLab in Debian's Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.adapters.local_model import weights

ROOT = Path(__file__).parents[2]
TOKEN = "secret"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is missing: run scripts/ensure chromium"
    return {
        "executable_path": chromium,
        "args": ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"],
    }


@pytest.fixture(scope="session")
def model_weights() -> Path:
    """The weights of the demo model, brought once to this machine."""
    cache = Path(os.environ.get("BESTCHAT_TEST_MODELS", Path.home() / ".cache" / "bestchat-test"))
    return weights.install(cache, lambda _done, _total: None)


@pytest.fixture
def lab(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[..., str]]:
    """Starts JupyterLab on the project's notebooks; gives the URL to open, token included."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**options: str) -> str:
        notebooks = tmp_path / "notebooks"
        shutil.copytree(ROOT / "notebooks", notebooks)
        settings = tmp_path / "config/lab/user-settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        # The news toast covers what a test wants to click on, and would ask the network.
        (settings / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8"
        )
        port = free_port()
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        environ = kept | {
            "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
            "JUPYTER_DATA_DIR": str(tmp_path / "data"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "BESTCHAT_DATA_DIR": str(tmp_path / "bestchat"),
            **options,
        }
        command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"]
        command += [f"--port={port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1"]
        command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={notebooks}"]
        command += ["--LabApp.expose_app_in_browser=True"]
        with (tmp_path / "lab.log").open("wb") as log:
            started.append(subprocess.Popen(command, env=environ, stdout=log, stderr=log))
        return f"http://127.0.0.1:{port}/lab/tree/01_quickstart.ipynb?token={TOKEN}"

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # Jupyter loses a SIGTERM that comes while it logs
            process.kill()
            process.wait()
