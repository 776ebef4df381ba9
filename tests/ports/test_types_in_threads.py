"""Threads read rows, and must not be the first to use a type.

msgspec learns a struct's fields at its first use. Two threads that learn the same one at the same
moment crash the process, as a server did to which several readers came back right after its start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LIVE = r'''
import asyncio, sys, threading

learnt = set()

def importing(frame):
    """An import is one thread's at a time, and comes before all use."""
    while frame is not None and "importlib" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None

def watch(frame, event, _):
    if event == "call" and frame.f_code.co_name == "get_class_annotations":
        if not importing(frame):
            learnt.add(f"{frame.f_locals['obj']} in {threading.current_thread().name}")

threading.setprofile(watch)

from bestchat_server_ext.api import approvals, conversations, events, providers
from bestchat_server_ext.api import tokens, turns, usage
from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev

async def live(folder, scripts):
    environ = {"BESTCHAT_DATA_DIR": folder, "BESTCHAT_SCRIPTS_DIR": scripts}
    application = await open_application(environ, serves=True)
    client = InProcessClient(application)
    made = await client.call(conversations.create, conversations.CreateConversation())
    request = turns.StartTurn(
        conversation_id=made.id, request_id="r", text="Hello.", model="scripted/echo"
    )
    ticket = await client.call(turns.start, request)
    async for frame in client.follow(made.id, 0):
        if isinstance(frame, ev.Envelope) and isinstance(frame.event, ev.TurnFinished):
            break
    await client.call(events.replay, events.ReplayEvents(made.id))
    await client.call(turns.get, turns.GetTurn(ticket.turn_id))
    await client.call(approvals.list_, approvals.ListApprovals(made.id))
    await client.call(conversations.list_, conversations.ListConversations())
    await client.call(usage.summary, usage.SummarizeUsage())
    await client.call(tokens.create, tokens.CreateToken("t", ("conversations:read",)))
    await client.call(tokens.list_, tokens.ListTokens())
    await client.call(providers.list_, providers.ListProviders())
    state = await application._services.storage.load(made.id)
    assert len(state.messages) == 2
    await application.close()

asyncio.run(live(*sys.argv[1:]))
print(*learnt, sep="\n")
'''


def test_threads_learn_no_types(data_dir: Path, scripts_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIVE, str(data_dir), str(scripts_dir)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() in ([], [""])
