"""How long a scripted `%%chat` cell takes in this process, and how long `conversations.create`.

Prints figures; asserts nothing. Run with `make bench`, on an idle machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from IPython.core.interactiveshell import InteractiveShell

from bestchat_server_ext import bootstrap
from bestchat_server_ext.api import conversations
from bestchat_server_ext.client.inprocess import InProcessClient

SCRIPT = '{"turns": [{"steps": [[{"do": "say", "text": "Hello."}]]}]}'


def cell_times(folder: Path, runs: int = 40) -> list[float]:
    """Milliseconds of each of several cells, the first of which opens everything."""
    os.environ["BESTCHAT_DATA_DIR"] = str(folder)
    os.environ["BESTCHAT_SCRIPTS_DIR"] = str(folder)
    (folder / "hello.json").write_text(SCRIPT, encoding="utf-8")
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "bestchat_kernel")
    times = []
    for number in range(runs):
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            shell.run_cell(f"%%chat -m scripted/hello\nquestion {number}")
        times.append(1000 * (time.perf_counter() - began))
    return times


async def create_times(folder: Path, runs: int = 200) -> list[float]:
    """Milliseconds of each of several conversations begun on SQLite."""
    application = await bootstrap.open_application({"BESTCHAT_DATA_DIR": str(folder)})
    client = InProcessClient(application)
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        await client.call(conversations.create, conversations.CreateConversation())
        times.append(1000 * (time.perf_counter() - began))
    await client.close()
    return times


def main() -> None:
    """Print a small table."""
    with tempfile.TemporaryDirectory() as folder:
        first, *others = cell_times(Path(folder))
        print(f"scripted %%chat cell, first        {first:7.1f} ms")
        p95 = quantiles(others, n=20)[-1]
        print(f"scripted %%chat cell, others       {median(others):7.1f} ms p50 {p95:7.1f} ms p95")
    with tempfile.TemporaryDirectory() as folder:
        created = asyncio.run(create_times(Path(folder)))
        p95 = quantiles(created, n=20)[-1]
        print(f"conversations.create, SQLite       {median(created):7.1f} ms p50 {p95:7.1f} ms p95")


if __name__ == "__main__":
    main()
