"""A server without a network: it starts, serves and chats, because it needs nobody else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from bestchat_server_ext.api import conversations, turns
from bestchat_server_ext.client.remote import RemoteClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.ids import RequestId

ALONE = """
import fcntl, socket, struct, sys

def refuse(event, given):
    if event == "socket.connect" and given[0].family in (socket.AF_INET, socket.AF_INET6):
        host = given[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = given[0]
    else:
        return
    if host not in (None, "", "127.0.0.1", "::1", "localhost", socket.gethostname()):
        print("Uncaught call to the outside:", host, file=sys.stderr, flush=True)
        raise OSError("there is no outside")

sys.addaudithook(refuse)
UP_AND_RUNNING, READ, WRITE = 0x41, 0x8913, 0x8914
if "alone" in sys.argv:
    sys.argv.remove("alone")
    with socket.socket() as line:  # kernels are spoken to over the loopback, which begins down
        fcntl.ioctl(line, WRITE, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))
"""


def can_be_alone() -> bool:
    """Whether this machine gives out network namespaces: not in every container."""
    try:
        tried = subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


@pytest.fixture
def alone(start_jupyter: Any, socket_way: Any) -> Iterator[Any]:
    """A server with a loopback at most, and with a hook that refuses everything else.

    Its socket leads out of the network namespace.
    """
    way = socket_way("alone", launcher=("unshare", "-rn")) if can_be_alone() else socket_way()
    server = start_jupyter("/", way=way, prelude=ALONE)
    yield server
    server.stop()
    assert server.alarms == []


async def test_it_starts_serves_and_chats(alone: Any) -> None:
    client = RemoteClient(alone.url, alone.token)
    made = await client.call(conversations.create, conversations.CreateConversation())
    question = turns.StartTurn(
        conversation_id=made.id, request_id=RequestId("r"), text="Alone?", model="scripted/echo"
    )
    await client.call(turns.start, question)
    frames = client.follow(made.id, 0)
    async for frame in frames:
        if isinstance(frame, ev.Envelope) and isinstance(frame.event, ev.TurnFinished):
            break
    await frames.aclose()
    await client.close()
