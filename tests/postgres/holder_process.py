"""A process that is killed while it holds something: a turn's lease, or a transaction's lock.

Says `holding` when it does, and waits. Arguments: URL, `turn` or `lock`, conversation.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from sqlalchemy import Connection, text

from bestchat_server_ext.adapters.clock_system import SystemClock
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.adapters.storage_sql.postgres import run_once
from bestchat_server_ext.core.ids import ConversationId, OwnerId
from bestchat_server_ext.ports.storage import Claim, PartialText
from bestchat_server_ext.testing.port_suites.scene import Scene, reply


def wait() -> None:
    sys.stdout.write("holding\n")
    sys.stdout.flush()
    sys.stdin.readline()


async def hold_turn(url: str, conversation_id: str) -> None:
    clock = SystemClock()
    scene = Scene(clock, OwnerId("ada"))
    scene.id = ConversationId(conversation_id)
    begun, until = scene.begin(), clock.now() + timedelta(seconds=5)
    database = await open_database(url)
    appended = await database.storage.append(
        scene.id, begun.events, clock.now(), claim=Claim(begun.turn_id, "one", until)
    )
    assert appended.lease is not None
    await database.storage.renew([PartialText(appended.lease, reply("Half an"))], until)
    wait()


async def hold_lock(url: str, conversation_id: str) -> None:
    def work(connection: Connection) -> None:
        query = text("UPDATE conversations SET seq = seq + 1 WHERE id = CAST(:id AS uuid)")
        connection.execute(query, {"id": conversation_id})
        wait()

    await run_once(url, work)


if __name__ == "__main__":
    address, what, conversation = sys.argv[1:]
    asyncio.run({"turn": hold_turn, "lock": hold_lock}[what](address, conversation))
