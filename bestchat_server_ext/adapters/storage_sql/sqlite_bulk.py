"""Many rows at once, where a thousand turns run on one SQLite file.

Python's driver lets go of the interpreter for every row that it is given or gives, and takes it
back afterwards, for which a busy event loop makes it wait up to 5 ms. A thousand rows then hold the
write lock for seconds. So rows go in and come out as one JSON text, which SQLite takes apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, text

from bestchat_server_ext.adapters.storage_sql.engine import decode_json, encode_json
from bestchat_server_ext.adapters.storage_sql.tables import conversations, turns
from bestchat_server_ext.ports.storage import PartialText

_RENEW = text(
    """
    UPDATE turns
    SET lease_until = :until,
        partial = CASE step
            WHEN json_extract(told.value, '$.step')
            THEN coalesce(json_extract(told.value, '$.reply'), partial)
            ELSE partial
        END
    FROM json_each(:told) AS told
    WHERE turns.id = json_extract(told.value, '$.id')
      AND lease_holder = json_extract(told.value, '$.holder')
      AND fence = json_extract(told.value, '$.fence')
    """
).bindparams(bindparam("until", type_=turns.c.lease_until.type))

_SEQS = text(
    """
    SELECT json_group_array(json_array(id, seq)) FROM conversations
    WHERE id IN (SELECT value FROM json_each(:keys)) AND owner = coalesce(:owner, owner)
    """
).bindparams(bindparam("owner", type_=conversations.c.owner.type))


def renew(connection: Connection, texts: Sequence[PartialText], until: datetime) -> bool:
    """Renew leases that hold, and keep the texts that came with them; say whether all did."""
    told = [
        {
            "id": stored(item.lease.turn_id),
            "holder": item.lease.holder,
            "fence": item.lease.fence,
            "step": item.step,
            "reply": None if item.reply is None else encode_json(item.reply),
        }
        for item in texts
    ]
    changed = connection.execute(_RENEW, {"until": until, "told": encode_json(told)})
    return changed.rowcount == len(texts)


def newest_seqs(
    connection: Connection, conversation_ids: Collection[str], owner: str | None
) -> dict[str, int]:
    """The numbers of the newest events of several conversations."""
    # Asked for as they are stored, told as they were asked for.
    asked: Mapping[str, str] = {stored(key): key for key in conversation_ids}
    given = {"keys": encode_json(list(asked)), "owner": owner}
    found: list[tuple[str, int]] = decode_json(connection.execute(_SEQS, given).scalar_one())
    return {asked[key]: seq for key, seq in found}


def stored(key: str) -> str:
    """An id as SQLite has it, which knows no UUIDs."""
    return key.replace("-", "").lower()
