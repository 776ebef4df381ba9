"""How long loading takes: `%load_ext`, and the server with and without the extension.

Prints figures; asserts nothing. Run with `make bench`, on an idle machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

RUNS = 7

LOAD_EXT = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
shell.run_line_magic("load_ext", "bestchat_kernel")
print(1000 * (time.perf_counter() - began))
"""

SERVER = """
import sys, time
began = time.perf_counter()
from jupyter_server.serverapp import ServerApp
app = ServerApp()
app.initialize([
    "--ServerApp.token=x", "--no-browser", "--allow-root", "--port=0", "--ServerApp.port_retries=0",
    f"--ServerApp.jpserver_extensions={{'bestchat_server_ext': {sys.argv[1]}}}",
], new_httpserver=False)
taken = 1000 * (time.perf_counter() - began)
status = open("/proc/self/status").read()
print(taken, int(status.split("VmRSS:")[1].split()[0]) / 1024)
"""


def measured(code: str, *arguments: str) -> tuple[float, ...]:
    """Medians over several fresh processes of the figures that some code prints."""
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "",
            "JUPYTER_CONFIG_DIR": folder,
            "JUPYTER_DATA_DIR": folder,
            "JUPYTER_RUNTIME_DIR": folder,
            "IPYTHONDIR": folder,
        }
        rows = []
        for _ in range(RUNS):
            done = subprocess.run(
                [sys.executable, "-c", code, *arguments],
                capture_output=True,
                text=True,
                check=True,
                env=environ,
                cwd=folder,
            )
            rows.append([float(word) for word in done.stdout.split()[-2:]])
    return tuple(median(column) for column in zip(*rows, strict=True))


def main() -> None:
    """Print a small table."""
    (load,) = measured(LOAD_EXT)
    print(f"%load_ext bestchat_kernel          {load:7.0f} ms")
    without, memory_without = measured(SERVER, "False")
    with_, memory_with = measured(SERVER, "True")
    print(f"Jupyter Server without             {without:7.0f} ms {memory_without:7.1f} MB")
    print(f"Jupyter Server with the extension  {with_:7.0f} ms {memory_with:7.1f} MB")
    added = f"{with_ - without:+7.0f} ms {memory_with - memory_without:+7.1f} MB"
    print(f"added                              {added}")


if __name__ == "__main__":
    assert Path("/proc/self/status").exists(), "memory is read from /proc"
    main()
