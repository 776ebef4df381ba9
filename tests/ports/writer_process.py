"""A process that writes to a database: started by tests, several at a time.

Says `ready`, waits for a line, opens the database and appends events one by one; prints the
numbers that they got. Arguments: file or URL, conversation (`-` makes a new one), how many events.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from bestchat_server_ext.adapters.clock_system import SystemClock
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.core.events import ConversationCreated, ConversationRenamed, Event
from bestchat_server_ext.core.ids import LOCAL_OWNER, ConversationId


async def write(place: Path | str, conversation_id: str, count: int) -> list[int]:
    clock, numbers = SystemClock(), []
    database = await open_database(place)
    if conversation_id == "-":
        conversation_id = clock.new_id()
        events: list[Event] = [ConversationCreated(LOCAL_OWNER)]
        await database.storage.append(ConversationId(conversation_id), events, clock.now())
    for number in range(count):
        events = [ConversationRenamed(f"{number}")]
        appended = await database.storage.append(
            ConversationId(conversation_id), events, clock.now()
        )
        numbers += [envelope.seq for envelope in appended.envelopes]
    await database.close()
    return numbers


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    named, conversation, events_wanted = sys.argv[1:]
    where = named if "://" in named else Path(named)
    written = asyncio.run(write(where, conversation, int(events_wanted)))
    sys.stdout.write(json.dumps(written))
