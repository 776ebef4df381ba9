"""Leases: who may write to a running turn, for how long, and what it was saying.

Where there are row locks, turns are locked in the order of their ids, before they are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, select, update

from bestchat_server_ext.adapters.storage_sql import sqlite_bulk
from bestchat_server_ext.adapters.storage_sql.tables import conversations, turns
from bestchat_server_ext.core.conversation import ACTIVE
from bestchat_server_ext.core.ids import TurnId
from bestchat_server_ext.ports.storage import Lease, PartialText


def renew(
    connection: Connection, texts: Sequence[PartialText], until: datetime
) -> tuple[TurnId, ...]:
    """Renew leases that hold and keep the texts that came with them; give the turns of others."""
    if connection.dialect.name == "sqlite":
        whole = sqlite_bulk.renew(connection, texts, until)
        return () if whole else _lost(texts, _valid(connection, texts))
    valid = _valid(connection, texts)
    held = [text for text in texts if text.lease in valid]
    _write(connection, held, until)
    return _lost(texts, valid)


def _valid(connection: Connection, texts: Sequence[PartialText]) -> set[Lease]:
    """The leases of these turns that somebody holds."""
    wanted = [text.lease.turn_id for text in texts]
    query = select(turns.c.id, turns.c.lease_holder, turns.c.fence).where(turns.c.id.in_(wanted))
    found = connection.execute(query.order_by(turns.c.id).with_for_update())
    return {Lease(TurnId(key), holder, fence) for key, holder, fence in found if holder}


def _lost(texts: Sequence[PartialText], valid: set[Lease]) -> tuple[TurnId, ...]:
    return tuple(text.lease.turn_id for text in texts if text.lease not in valid)


def _write(connection: Connection, held: Sequence[PartialText], until: datetime) -> None:
    here = turns.c.id == bindparam("key")
    if silent := [{"key": text.lease.turn_id} for text in held if text.reply is None]:
        connection.execute(update(turns).where(here).values(lease_until=until), silent)
    if heard := [
        {"key": text.lease.turn_id, "reply": text.reply, "at_step": text.step}
        for text in held
        if text.reply is not None
    ]:
        current = turns.c.step == bindparam("at_step")
        kept = case(
            (current, bindparam("reply", type_=turns.c.partial.type)), else_=turns.c.partial
        )
        spoken = {"lease_until": until, "partial": kept}
        connection.execute(update(turns).where(here).values(spoken), heard)


def release(connection: Connection, lease: Lease, seq: int) -> bool:
    """Give a lease back unless the conversation has moved on beyond `seq`."""
    mine = (
        turns.c.id == lease.turn_id,
        turns.c.lease_holder == lease.holder,
        turns.c.fence == lease.fence,
    )
    # The conversation's row is locked first, as in an append: nothing can be written in between.
    place = select(turns.c.conversation_id).where(*mine).scalar_subquery()
    newest = connection.execute(
        select(conversations.c.seq).where(conversations.c.id == place).with_for_update()
    )
    if newest.scalar_one_or_none() != seq:
        return False
    free = update(turns).where(*mine).values(lease_holder=None, lease_until=None)
    return connection.execute(free).rowcount == 1


def seize_expired(
    connection: Connection, now: datetime, holder: str, until: datetime
) -> list[Lease]:
    """Take over all leases that ran out before `now`.

    A turn that somebody has locked is being written to or renewed: it is left for next time.
    """
    late = turns.c.state.in_(ACTIVE), turns.c.lease_until < now
    free = select(turns.c.id).where(*late).order_by(turns.c.id).with_for_update(skip_locked=True)
    found = connection.execute(free).scalars().all()
    if not found:
        return []
    changes = {"lease_holder": holder, "lease_until": until, "fence": turns.c.fence + 1}
    query = update(turns).where(turns.c.id.in_(found)).values(changes)
    taken = connection.execute(query.returning(turns.c.id, turns.c.fence))
    return [Lease(TurnId(key), holder, fence) for key, fence in taken]
