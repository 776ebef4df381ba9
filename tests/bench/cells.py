"""How long a scripted `%%chat` cell takes, and how long `conversations.create`.

Prints figures; asserts nothing. Run with `make bench`, on an idle machine. PostgreSQL is measured
where one answers on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.manager import start_new_kernel

from bestchat_kernel.summary import headline, summarise
from bestchat_server_ext import bootstrap
from bestchat_server_ext.api import conversations
from bestchat_server_ext.bootstrap.administration import upgrade_database
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.access import KERNEL_SCOPES
from bestchat_server_ext.settings import load

SCRIPT = '{"turns": [{"steps": [[{"do": "say", "text": "Hello."}]]}]}'


def cell_times(environ: dict[str, str], runs: int = 40) -> list[float]:
    """Milliseconds of each of several cells, the first of which opens everything."""
    os.environ.update(environ)
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "bestchat_kernel")
    times = []
    for number in range(runs):
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            shell.run_cell(f"%%chat -m scripted/hello\nquestion {number}")
        times.append(1000 * (time.perf_counter() - began))
    return times


async def create_times(environ: dict[str, str], runs: int = 200) -> list[float]:
    """Milliseconds of each of several conversations begun."""
    application = await bootstrap.open_application(environ)
    client = InProcessClient(application)
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        await client.call(conversations.create, conversations.CreateConversation())
        times.append(1000 * (time.perf_counter() - began))
    await client.close()
    return times


@contextlib.contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """A Jupyter Server in a process of its own; gives the environment of its kernels."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
    options = [f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"]
    process = subprocess.Popen(
        [*command, *options, f"--ServerApp.root_dir={folder}"],
        env={**os.environ, **on_sqlite(folder)},
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/"
    headers = {"Authorization": f"token {token}"}
    try:
        yield {"BESTCHAT_URL": url, "BESTCHAT_TOKEN": _own_token(url, headers)}
    finally:
        process.terminate()
        process.wait()


def _own_token(url: str, headers: dict[str, str]) -> str:
    """A BestChat token from a server that may still be starting."""
    wanted = json.dumps({"name": "bench", "scopes": [str(scope) for scope in KERNEL_SCOPES]})
    request = Request(f"{url}bestchat/api/tokens.create", wanted.encode(), headers)
    for _ in range(200):
        with contextlib.suppress(URLError), urlopen(request) as answer:
            made: dict[str, str] = json.load(answer)
            return made["token"]
        time.sleep(0.05)
    raise RuntimeError("The server did not start.")


def on_sqlite(folder: Path) -> dict[str, str]:
    """The environment of an application with a folder of its own."""
    (folder / "hello.json").write_text(SCRIPT, encoding="utf-8")
    return {"BESTCHAT_DATA_DIR": str(folder), "BESTCHAT_SCRIPTS_DIR": str(folder)}


@contextlib.contextmanager
def on_postgres(folder: Path) -> Iterator[dict[str, str] | None]:
    """The same on a new database of the PostgreSQL server here, if there is one."""
    psql = ["psql", "-h", "127.0.0.1", "-U", "postgres", "-qc"]
    name = f"bestchat_bench_{os.getpid()}"
    try:
        subprocess.run([*psql, f"CREATE DATABASE {name}"], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    url = {"BESTCHAT_DATABASE_URL": f"postgresql://postgres@127.0.0.1/{name}"}
    environ = on_sqlite(folder) | url
    try:
        upgrade_database(load(environ))
        yield environ
    finally:
        subprocess.run([*psql, f"DROP DATABASE {name} WITH (FORCE)"], check=True)


def kernel_starts(name: str, runs: int = 5) -> list[float]:
    """Milliseconds from the start of a kernel to its first answer."""
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            environ = {**os.environ, "IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder}
            manager, client = start_new_kernel(kernel_name=name, env=environ)
            times.append(1000 * (time.perf_counter() - began))
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return times


class Own:
    """A class of the user's own."""


def namespace() -> dict[str, object]:
    """Five hundred names, of the kinds that notebooks have."""
    kinds: list[Callable[[int], object]] = [
        lambda n: n,
        lambda n: n / 7,
        lambda n: f"text {n}" * 20,
        lambda n: list(range(n)),
        lambda n: {f"k{key}": key for key in range(n % 50)},
        lambda n: {1, 2, n},
        lambda n: (n, "a"),
        lambda n: np.arange(n * 10),
        lambda _: None,
        lambda _: Own(),
    ]
    frames = {f"frame{n}": pd.DataFrame({"a": range(100), "b": ["x"] * 100}) for n in range(5)}
    return {f"name{n}": kinds[n % 10](n) for n in range(495)} | frames


def summary_times(tell: Callable[[object], str], runs: int = 20) -> list[float]:
    """Milliseconds to say of each of five hundred names what it is."""
    values = namespace().values()
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        for value in values:
            tell(value)
        times.append(1000 * (time.perf_counter() - began))
    return times


def say(what: str, times: list[float]) -> None:
    """One line of the table."""
    p95 = quantiles(times, n=20)[-1]
    print(f"{what:<42} {median(times):7.1f} ms p50 {p95:7.1f} ms p95")


def main() -> None:
    """Print a small table."""
    with tempfile.TemporaryDirectory() as folder:
        first, *others = cell_times(on_sqlite(Path(folder)))
        print(f"{'scripted %%chat cell, in-process, first':<42} {first:7.1f} ms")
        say("scripted %%chat cell, in-process, others", others)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as environ:
        first, *others = cell_times(environ)
        print(f"{'scripted %%chat cell, server, first':<42} {first:7.1f} ms")
        say("scripted %%chat cell, server, others", others)
    say("500 names, the list of them", summary_times(headline))
    say("500 names, summaries of all", summary_times(summarise))
    for name in ("python3", "bestchat"):
        say(f"start of the kernel {name}", kernel_starts(name))
    with tempfile.TemporaryDirectory() as folder:
        say("conversations.create, SQLite", asyncio.run(create_times(on_sqlite(Path(folder)))))
    with tempfile.TemporaryDirectory() as folder, on_postgres(Path(folder)) as database:
        if database is None:
            print("conversations.create, PostgreSQL: there is none on this machine")
        else:
            say("conversations.create, PostgreSQL", asyncio.run(create_times(database)))


if __name__ == "__main__":
    main()
