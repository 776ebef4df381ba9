"""The light install: what a kernel needs that speaks to somebody else's server."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def light_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with nothing but the built wheel in it."""
    folder = tmp_path_factory.mktemp("light")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("bestchat-*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    return python


def run(python: Path, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": str(python.parent)}
    return subprocess.run(
        [python, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=clean | environ,
        cwd=python.parent,
    )


LOAD = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "bestchat_kernel")
"""


@pytest.mark.timeout(300)
def test_heavy_libraries_are_not_installed(light_python: Path) -> None:
    code = "import importlib.util as u; print([n for n in {!r} if u.find_spec(n)])"
    heavy = ("litellm", "sqlalchemy", "jupyter_server", "alembic", "xllamacpp")
    assert run(light_python, code.format(heavy)).stdout.strip() == "[]"


def test_the_extension_loads(light_python: Path) -> None:
    done = run(light_python, LOAD)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_server_it_says_what_to_install(light_python: Path) -> None:
    done = run(light_python, LOAD + "shell.run_cell('%%chat hello')")
    assert "pip install 'bestchat[lab]'" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_with_a_server_out_of_reach_it_says_so(light_python: Path) -> None:
    done = run(
        light_python,
        LOAD + "shell.run_cell('%%chat hello')",
        BESTCHAT_URL="http://127.0.0.1:9/",
        BESTCHAT_TOKEN="bc_x",
    )
    assert "cannot be reached" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_wheel_enables_the_server_extension(light_python: Path) -> None:
    enabled = (
        light_python.parents[1] / "etc/jupyter/jupyter_server_config.d/bestchat_server_ext.json"
    )
    assert '"bestchat_server_ext": true' in enabled.read_text(encoding="utf-8")


def test_a_panel_needs_widgets_and_says_so(light_python: Path) -> None:
    done = run(light_python, "from bestchat_kernel import ChatPanel")
    assert "ImportError: ChatPanel needs widgets: pip install 'bestchat[widget]'" in done.stderr
    static = run(light_python, "import bestchat_kernel as b; print(b.__path__[0])").stdout.strip()
    assert (Path(static) / "static" / "widget.js").exists()


def test_the_wheel_brings_the_kernel_spec(light_python: Path) -> None:
    kernels = light_python.parents[1] / "share/jupyter/kernels"
    assert {path.name for path in kernels.iterdir()} == {"bestchat", "python3"}


def test_the_kernel_needs_no_more(light_python: Path) -> None:
    done = run(light_python, "import bestchat_kernel.kernel.app")
    assert (done.returncode, done.stderr) == (0, "")
