"""A process that owns a turn until it is killed: started by a test.

Asks `scripted/long`, waits until some of the answer is kept in storage, says `kept`, and goes on
streaming for ever. Arguments: the data folder, the scripts folder, the conversation.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from bestchat_server_ext.api import turns as api
from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core.ids import ConversationId, RequestId, TurnId
from bestchat_server_ext.ports.storage import PartialText
from bestchat_server_ext.services import turns


async def own(data_dir: str, scripts_dir: str, conversation_id: str) -> None:
    turns.LEASE, turns.KEEP_SECONDS = timedelta(seconds=0.5), 0.05
    environ = {"BESTCHAT_DATA_DIR": data_dir, "BESTCHAT_SCRIPTS_DIR": scripts_dir}
    application = await open_application(environ)
    storage, kept = application._services.storage, asyncio.Event()
    renew = storage.renew

    async def renew_and_tell(texts: Sequence[PartialText], until: datetime) -> tuple[TurnId, ...]:
        lost = await renew(texts, until)
        if any(text.reply for text in texts):
            kept.set()
        return lost

    storage.renew = renew_and_tell  # type: ignore[method-assign]
    request = api.StartTurn(
        conversation_id=ConversationId(conversation_id),
        request_id=RequestId("the owner's"),
        text="Go.",
        model="scripted/long",
    )
    await InProcessClient(application).call(api.start, request)
    await kept.wait()
    sys.stdout.write("kept\n")
    sys.stdout.flush()
    await asyncio.Future()


asyncio.run(own(*sys.argv[1:]))
