"""A TCP proxy that cuts connections after random numbers of bytes, in either direction.

Whoever streams over a network has to survive that, so clients in any language can be run against
it::

    python -m bestchat_server_ext.testing.cutting_proxy 127.0.0.1:8888 --seed 7 --cuts 100

prints `{"port": …}` and passes everything on to the server at that address, except for the first
hundred connections, which it cuts; when its standard input ends, it prints `{"cuts": …}` and ends
as well. The same seed chooses the same places. Some connections are closed properly, in the middle
of whatever was being sent, and some are reset.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from contextlib import suppress
from typing import Literal

MOST_UP = 700
"""Bytes of a client that may come through before a cut: about a handshake and what it asks for."""

MOST_DOWN = 8000
"""Bytes of the server, likewise. Small numbers are as likely as large ones of the same ratio."""


class Cut:
    """Where one connection ends."""

    def __init__(self, dice: random.Random) -> None:
        """Choose a place."""
        self.direction: Literal["up", "down"] = "up" if dice.random() < 0.3 else "down"
        most = MOST_UP if self.direction == "up" else MOST_DOWN
        self.left = int(most ** dice.random()) - 1
        """Bytes that still come through in that direction."""
        self.reset = dice.random() < 0.5
        """Whether it ends without a word, rather than in good order."""


class CuttingProxy:
    """Passes connections on to one server, and cuts them."""

    def __init__(self, host: str, port: int, dice: random.Random, cuts: int) -> None:
        """Cut so many connections to the server at an address, and let all later ones be."""
        self._host, self._port = host, port
        self._dice = dice
        self._planned = cuts
        self.cuts = 0
        """Connections that were cut so far."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on some port of this machine; gives it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Listen no more, and cut what is left."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        cut = None
        if self._planned > 0:
            self._planned -= 1
            cut = Cut(self._dice)
        writers = [writer]
        try:
            far, behind = await asyncio.open_connection(self._host, self._port)
            writers.append(behind)
            up = asyncio.create_task(_pass_on(reader, behind, _place(cut, "up")))
            down = asyncio.create_task(_pass_on(far, writer, _place(cut, "down")))
            try:
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.wait([up, down])
        except OSError:
            pass  # the server is not there: the client finds out
        finally:
            self.cuts += cut is not None
            self._tasks.discard(task)
            for one in writers:
                await _end(one, reset=cut is not None and cut.reset)


def _place(cut: Cut | None, direction: Literal["up", "down"]) -> Cut | None:
    return cut if cut is not None and cut.direction == direction else None


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Cut | None
) -> None:
    """Pass bytes on until there are no more, or no more may come through."""
    with suppress(OSError):
        while data := await reader.read(65536):
            if cut is not None:
                data, cut.left = data[: cut.left], cut.left - len(data)
            writer.write(data)
            await writer.drain()
            if cut is not None and cut.left <= 0:
                return


async def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        writer.transport.abort()
        return
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _run(host: str, port: int, seed: int, cuts: int) -> None:
    proxy = CuttingProxy(host, port, random.Random(seed), cuts)  # noqa: S311  it has to be repeatable
    _tell(port=await proxy.start())
    await asyncio.to_thread(sys.stdin.read)
    await proxy.stop()
    _tell(cuts=proxy.cuts)


def _tell(**what: int) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run it as a program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("server", help="where the server is, as host:port")
    parser.add_argument("--seed", type=int, default=1, help="chooses the places")
    parser.add_argument("--cuts", type=int, default=100, help="how many connections are cut")
    given = parser.parse_args()
    host, _, port = given.server.rpartition(":")
    asyncio.run(_run(host, int(port), given.seed, given.cuts))


if __name__ == "__main__":
    main()
