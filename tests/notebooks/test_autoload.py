"""`bestchat magics --autoload` in real kernels: %%chat is there, and nothing else has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bestchat_server_ext.command.magics import STARTUP

if TYPE_CHECKING:
    from tests.notebooks.conftest import StartKernel


def autoload(clean: dict[str, str]) -> str:
    """Run the command; give the folder of IPython that it worked on."""
    code = "import sys; from bestchat_server_ext.command import main; sys.exit(main(sys.argv[1:]))"
    subprocess.run(
        [sys.executable, "-c", code, "magics", "--autoload"],
        env=clean,
        check=True,
        capture_output=True,
    )
    return clean["IPYTHONDIR"]


def test_a_kernel_has_the_magics_and_no_new_names(
    clean: dict[str, str], start_kernel: StartKernel
) -> None:
    kernel = start_kernel(IPYTHONDIR=autoload(clean))
    assert kernel.ask("%%chat\nhello") != ""
    names = "sorted(name for name in dir() if 'bestchat' in name)"
    assert kernel.run(names).value == "[]"
    again = kernel.run("%load_ext bestchat_kernel")
    assert again.ok
    assert "already loaded" in again.stdout


def test_it_is_silent_where_bestchat_is_not_installed(
    tmp_path: Path, clean: dict[str, str]
) -> None:
    """The same home may serve environments that do not have it."""
    code = (
        "import sys; from importlib.util import find_spec; from pathlib import Path\n"
        "ours = lambda path: Path(path, 'bestchat_kernel').is_dir()\n"
        "sys.path[:] = [path for path in sys.path if not ours(path)]\n"
        "assert find_spec('bestchat_kernel') is None\n"
        "from IPython import start_ipython\n"
        "sys.exit(start_ipython(['-c', 'print(\"started\")']))"
    )
    clean["IPYTHONDIR"] = autoload(clean)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("started\n", "")


def test_the_startup_file_is_a_program() -> None:
    compile(STARTUP, "50-bestchat.py", "exec")
