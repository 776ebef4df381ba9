"""A thousand clients, each with an answer of its own that is running: what it costs, and how soon.

Prints figures; asserts nothing but that every text arrives complete, in order, and as it is stored.
Run with `make bench`, on an idle machine; `--short` is for CI. Four processes: a provider that
speaks chat completions, BestChat, the clients, and this one, which measures. The same provider and
clients then meet a bare relay (crowd_relay.py), and, if wanted, the LiteLLM proxy:

    python3 -m venv /tmp/litellm && /tmp/litellm/bin/pip install 'litellm[proxy]'
    python tests/bench/streams.py --clients 100 --litellm /tmp/litellm/bin/litellm
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import msgspec
import psutil
from cells import on_postgres
from crowd_clients import Heard, Task
from crowd_provider import RATE

HERE = Path(__file__).parent
OTHERS = 8
"""Users who do other things meanwhile."""
LINE = 64 * 1024 * 1024
"""Bytes of the longest line that a process prints."""


class Figures(msgspec.Struct):
    """What one run has shown."""

    name: str
    heard: Heard
    whole: float
    """Microseconds of processor time per piece, from the first question to the last answer."""
    steady: float
    """The same while all answers run and nobody begins or ends."""
    core: float
    """The share of a core that this is."""
    memory: float
    """Kilobytes per client."""


@asynccontextmanager
async def process(
    *command: str, env: dict[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is spoken to in lines, and ended at last."""
    started = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
        limit=LINE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


async def line(of: asyncio.subprocess.Process) -> str:
    """The next line that a process prints."""
    assert of.stdout is not None
    if not (said := await of.stdout.readline()):
        raise RuntimeError("A process of the benchmark has ended early.")
    return said.decode().strip()


def tell(to: asyncio.subprocess.Process, text: str) -> None:
    """Send a process a line."""
    assert to.stdin is not None
    to.stdin.write(text.encode() + b"\n")


def python(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a file from beside this one."""
    return (sys.executable, str(HERE / name), *arguments)


class Measured:
    """Looks at a server from the outside."""

    def __init__(self, name: str, pid: int) -> None:
        self._name = name
        self._process = psutil.Process(pid)

    def spent(self) -> float:
        """Seconds of processor time so far, of all its threads and children."""
        family = [self._process, *self._process.children(recursive=True)]
        return sum(sum(item.cpu_times()[:2]) for item in family)

    def memory(self) -> float:
        """Kilobytes that are resident."""
        return float(self._process.memory_info().rss / 1024)

    @asynccontextmanager
    async def profiled(self, what: str) -> AsyncIterator[None]:
        """Have py-spy look at where time goes meanwhile, if that was asked for."""
        if not PROFILES:
            yield
            return
        output = f"{PROFILES[0]}/{self._name}-{what}.txt"
        options = ("--pid", str(self._process.pid), "--format", "raw", "--output", output)
        spying = await asyncio.create_subprocess_exec(
            "py-spy",
            "record",
            *options,
            "--rate",
            "200",
            "--nonblocking",
            stdout=asyncio.subprocess.DEVNULL,
        )
        yield
        spying.send_signal(signal.SIGINT)
        await spying.wait()


Meanwhile = Callable[[], Awaitable[None]]


async def run(
    name: str,
    task: Task,
    server: Measured,
    meanwhile: Meanwhile | None = None,
    before: Meanwhile | None = None,
) -> Figures:
    """Let the clients ask, and look at the server."""
    clients, seconds = len(task.tokens), task.pieces / task.rate
    async with process(*python("crowd_clients.py")) as crowd:
        empty = server.memory()
        tell(crowd, msgspec.json.encode(task).decode())
        assert await line(crowd) == "connected"
        if before is not None:
            await before()
        begun = server.spent()
        tell(crowd, "begin")
        async with server.profiled("beginning"):
            await asyncio.sleep(task.spread)
        await asyncio.sleep(2)
        at, so_far = time.monotonic(), server.spent()
        # The first answers end when they have lasted their time, however late the others began.
        quiet = max(2.0, (seconds - task.spread - 3) * (0.5 if meanwhile else 1))
        async with server.profiled("steady"):
            await asyncio.sleep(quiet)
        used, passed, full = server.spent() - so_far, time.monotonic() - at, server.memory()
        if meanwhile is not None:
            await meanwhile()
        assert await line(crowd) == "ended"
        whole = server.spent() - begun
        tell(crowd, "judge")
        heard = msgspec.json.decode(await line(crowd), type=Heard)
    return Figures(
        name,
        heard,
        whole=1e6 * whole / max(1, heard.pieces),
        steady=1e6 * used / (clients * task.rate * passed),
        core=used / passed,
        memory=(full - empty) / clients,
    )


class Others:
    """Users who list, read, create and rename, one thing after another."""

    VERBS = ("list", "get", "create", "rename")

    def __init__(self, port: int, tokens: Sequence[str], seconds: float) -> None:
        self._url = f"http://127.0.0.1:{port}/bestchat/api/conversations"
        self._tokens = tokens
        self._seconds = seconds
        self.times: dict[str, list[float]] = {verb: [] for verb in self.VERBS}

    async def work(self) -> None:
        """Do each of these some hundred times."""
        until = time.monotonic() + self._seconds
        async with aiohttp.ClientSession() as session:
            made = [await self._call(session, token, "create", {}) for token in self._tokens]
            while time.monotonic() < until:
                for token, conversation in zip(self._tokens, made, strict=True):
                    this = {"conversation_id": conversation}
                    bodies = {"get": this, "rename": {**this, "title": "Another title"}}
                    for verb in self.VERBS:
                        began = time.monotonic()
                        await self._call(session, token, verb, bodies.get(verb, {}))
                        self.times[verb].append(time.monotonic() - began)
                        await asyncio.sleep(0.01)

    async def _call(
        self, session: aiohttp.ClientSession, token: str, verb: str, body: dict[str, str]
    ) -> str:
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(f"{self._url}.{verb}", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json(content_type=None)).get("id", ""))


async def with_bestchat(task: Task, provider: str, environ: dict[str, str]) -> Figures:
    """BestChat, with other users meanwhile."""
    clients = len(task.tokens)
    env = {"OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": provider, **environ}
    command = python("crowd_server.py", str(clients + OTHERS + 1))
    async with process(*command, env=env) as serving:
        ready = json.loads(await line(serving))
        task.port, tokens = ready["port"], ready["tokens"]
        server = Measured("bestchat", serving.pid)
        # One answer loads what is loaded late.
        await first_answer(task, tokens.pop())
        task.tokens = tokens[:clients]
        others = Others(task.port, tokens[clients:], min(8.0, task.pieces / task.rate / 3))
        idle = Others(task.port, tokens[clients:], 4.0)
        figures = await run("BestChat", task, server, others.work, before=idle.work)
    show_others("while all are connected and nobody asks", idle)
    show_others("while all are being answered", others)
    return figures


async def first_answer(task: Task, token: str) -> None:
    """One client alone: it loads what is loaded late, and shows how soon the first piece comes."""
    alone = msgspec.structs.replace(task, tokens=[token], spread=0.0)
    async with process(*python("crowd_clients.py")) as one:
        tell(one, msgspec.json.encode(alone).decode())
        await line(one)
        tell(one, "begin")
        await line(one)
        tell(one, "judge")
        heard = msgspec.json.decode(await line(one), type=Heard)
    assert not heard.wrong, heard.wrong
    print(f"alone, the first answer: first piece added {1000 * heard.added[0]:.1f} ms")


async def with_relay(task: Task, provider: str) -> Figures:
    """The bare relay."""
    async with process(*python("crowd_relay.py", provider)) as serving:
        task.port = int(await line(serving))
        return await run("bare relay", task, Measured("relay", serving.pid))


async def with_litellm(task: Task, provider: str, command: str) -> Figures:
    """The LiteLLM proxy, from an environment of its own."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        task.port = free.getsockname()[1]
        free.close()
        key = "sk-" + secrets.token_hex(8)
        settings = {"model": "openai/bench", "api_base": provider, "api_key": "sk-bench"}
        config = Path(folder) / "config.yaml"
        models = [{"model_name": "bench", "litellm_params": settings}]
        config.write_text(
            json.dumps({"model_list": models, "general_settings": {"master_key": key}}),
            encoding="utf-8",
        )
        task.tokens = [key] * len(task.tokens)
        task.kind, task.model = "completions", "bench"
        env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
        options = ("--config", str(config), "--port", str(task.port), "--host", "127.0.0.1")
        async with process(command, *options, env=env) as serving:
            await listening(task.port)
            return await run("LiteLLM proxy", task, Measured("litellm", serving.pid))


async def listening(port: int) -> None:
    """Wait until somebody answers there."""
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            try:
                async with session.get(f"http://127.0.0.1:{port}/health/liveliness"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)
    raise RuntimeError("The proxy did not start.")


def milliseconds(times: Sequence[float]) -> str:
    """Median and 95th percentile."""
    if len(times) < 2:
        return "-"
    return f"{1000 * median(times):.0f} / {1000 * quantiles(times, n=20)[-1]:.0f}"


def show_others(when: str, others: Others) -> None:
    """What the other users saw."""
    print(f"others, {when}:")
    for verb, times in others.times.items():
        print(f"  conversations.{verb:<8} p50 / p95 {milliseconds(times)} ms, {len(times)} times")


def show(figures: Sequence[Figures], clients: int) -> None:
    """A table, and the first line over the others."""
    print(
        f"{'server':16}{'us/piece':>10}{'steady':>10}{'core':>8}{'KB/client':>11}"
        f"{'pieces/message':>16}{'added ms p50/p95':>18}{'in all':>14}{'complete':>10}"
    )
    for row in figures:
        heard = row.heard
        each = heard.pieces / max(1, heard.messages)
        # Whoever does not keep up sends fewer pieces than were due.
        steady = f"{row.steady:.1f}" if heard.texts == clients else "full"
        print(
            f"{row.name:16}{row.whole:10.1f}{steady:>10}{100 * row.core:7.0f}%"
            f"{row.memory:11.0f}{each:16.1f}{milliseconds(heard.added):>18}"
            f"{milliseconds(heard.whole):>14}{heard.texts:7}/{clients}"
        )
        for text in heard.wrong[:3]:
            print(f"  {text}")
    ours = figures[0]
    if ours.heard.asked:
        print(f"turns.start p50 / p95 {milliseconds(ours.heard.asked)} ms")
    for row in figures[1:]:
        print(
            f"{ours.name} / {row.name}: {ours.core / row.core:.2f} steady, "
            f"{ours.whole / row.whole:.2f} whole"
        )


PROFILES: list[str] = []


def main(options: argparse.Namespace) -> None:
    """Measure with a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        where = on_postgres(Path(folder)) if options.postgres else nullcontext({})
        with where as environ:
            if environ is None:
                raise RuntimeError("There is no PostgreSQL on this machine.")
            asyncio.run(measure(options, {"BESTCHAT_DATA_DIR": folder, **environ}))


async def measure(options: argparse.Namespace, environ: dict[str, str]) -> None:
    """Measure everybody, one after another."""
    clients, seconds = options.clients, options.seconds
    pieces = int(RATE * seconds)
    task = Task("bestchat", 0, ["-"] * clients, pieces, options.spread, RATE)
    print(f"{clients} clients, {RATE} pieces/s each for {seconds} s, begun within {task.spread} s")
    async with process(*python("crowd_provider.py", str(pieces))) as providing:
        provider = f"http://127.0.0.1:{await line(providing)}/v1"
        figures = [await with_bestchat(task, provider, environ)]
        relay = msgspec.structs.replace(task, kind="relay", tokens=["-"] * clients)
        figures.append(await with_relay(relay, provider))
        if options.litellm:
            figures.append(await with_litellm(relay, provider, options.litellm))
    show(figures, clients)
    for row in figures[:2]:
        assert row.heard.texts == clients, (row.name, row.heard.wrong[:9])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each answer lasts")
    parser.add_argument("--spread", type=float, default=30.0, help="within which they begin")
    parser.add_argument("--postgres", action="store_true", help="in place of SQLite")
    parser.add_argument("--litellm", help="the proxy's command, to measure it too")
    parser.add_argument(
        "--profile", metavar="FOLDER", help="where py-spy is to write what takes time"
    )
    parser.add_argument("--short", action="store_true", help="a quick look, for CI")
    chosen = parser.parse_args()
    PROFILES.extend([chosen.profile] if chosen.profile else [])
    if chosen.short:
        chosen.clients, chosen.seconds, chosen.spread = 100, 8.0, 2.0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    main(chosen)
