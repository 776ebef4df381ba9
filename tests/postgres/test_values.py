"""What PostgreSQL cannot keep as it is: U+0000, and names too long to be found again."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.adapters.storage_sql import Database
from bestchat_server_ext.adapters.storage_sql.postgres import _json_without_nul
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import Conflict, InvalidRequest, TooLarge
from bestchat_server_ext.core.ids import OwnerId, RequestId
from bestchat_server_ext.core.messages import TextPart
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.port_suites.scene import Scene

pieces = st.sampled_from(["\x00", "\\", "u", "0", "\\u0000", '"', "a", "é"])
texts = st.lists(pieces).map("".join)
values = st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner))


def replaced(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case list():
            return [replaced(item) for item in value]
        case _:
            return {replaced(key): replaced(item) for key, item in value.items()}


@given(values)
def test_json_has_a_replacement_for_nul_and_nothing_else_changes(value: Any) -> None:
    encoded = _json_without_nul(value)
    assert encoded.replace("\ufffd", "\\u0000") == msgspec.json.encode(value).decode()
    assert msgspec.json.decode(encoded) == replaced(value)


async def test_nul_is_stored_as_a_replacement_character(database: Database) -> None:
    scene = Scene(ManualClock(), OwnerId("a\x00da"))
    await database.storage.append(scene.id, [scene.created("Fish\x00")], scene.clock.now())
    begun = scene.begin("\x00 or \\u0000 or \\\x00", request_id="r\x00")
    await database.storage.append(scene.id, begun.events, scene.clock.now())
    state = await database.storage.load(scene.id)
    assert state.conversation.title == "Fish\ufffd"
    expected = (TextPart("\ufffd or \\u0000 or \\\ufffd"),)
    assert state.messages[begun.message.id].parts == expected
    envelopes = await database.storage.events_after(scene.id, 0, limit=10) or ()
    added = envelopes[1].event
    assert isinstance(added, ev.MessageAdded)
    assert added.message.parts == expected
    # What is asked for is treated alike, so that it is found again.
    found = await database.storage.find_turn(OwnerId("a\x00da"), RequestId("r\x00"))
    assert found is not None
    assert found.id == begun.turn_id
    again = scene.begin(request_id="r\x00")
    with pytest.raises(Conflict):
        await database.storage.append(scene.id, again.events, scene.clock.now())


async def test_a_name_that_is_too_long_to_be_found_again_is_refused(database: Database) -> None:
    scene = Scene(ManualClock())
    await database.storage.append(scene.id, [scene.created()], scene.clock.now())
    begun = scene.begin(request_id=secrets.token_hex(10_000))
    with pytest.raises(TooLarge):
        await database.storage.append(scene.id, begun.events, scene.clock.now())
    assert await database.storage.seq(scene.id) == 1


async def test_text_that_is_no_text_is_refused(database: Database) -> None:
    scene = Scene(ManualClock())
    with pytest.raises(InvalidRequest):
        await database.storage.append(scene.id, [scene.created("\ud800")], scene.clock.now())
