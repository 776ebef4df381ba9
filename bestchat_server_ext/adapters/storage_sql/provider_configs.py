"""SqlProviderConfigs: the port `provider_configs` on SQL."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Delete,
    Select,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from bestchat_server_ext.adapters.storage_sql import rows
from bestchat_server_ext.adapters.storage_sql.engine import Connections
from bestchat_server_ext.adapters.storage_sql.tables import provider_configs as table
from bestchat_server_ext.core.errors import Conflict
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.vault import Sealed
from bestchat_server_ext.ports.provider_configs import ProviderConfig

_FIRST = str(UUID(int=0))
"""Less than any id of ours."""

SINCE = "0003"
"""The revision of the schema from which on there is such a table."""

_KEY = frozenset({"key_id", "sealed", "last_four"})
"""The columns that make up a key."""

# Made once: every turn asks them.
_OF_OWNERS = select(table).where(table.c.owner.in_(bindparam("owners", expanding=True)))
_OF_OWNERS_FOR = _OF_OWNERS.where(table.c.provider == bindparam("name"))


class SqlProviderConfigs:
    """Settings and encrypted keys, in the database of the conversations."""

    def __init__(self, connections: Connections) -> None:
        """Work on these connections; who made them closes them."""
        self._connections = connections

    async def find(
        self, owners: Collection[OwnerId], provider: str | None = None
    ) -> tuple[ProviderConfig, ...]:
        """What is stored for these owners, for one provider or for all."""
        given = {"owners": list(owners), "name": provider}
        query = _OF_OWNERS if provider is None else _OF_OWNERS_FOR
        return await self._connections.look(_fetch, query, given)

    async def put(self, config: ProviderConfig, *, rekeyed: bool) -> None:
        """Store one in the place of the version before it; see the port.

        Raises:
            Conflict: another version is there, or it is gone.
        """
        values = rows.provider_config_values(config)
        if config.version == 1:
            await self._connections.write(_insert, values)
            return
        if not rekeyed:
            values = {name: value for name, value in values.items() if name not in _KEY}
        query = update(table).where(table.c.id == config.id, table.c.version == config.version - 1)
        if await self._connections.write(_change, query.values(values)) == 0:
            raise Conflict(
                "These settings have been changed meanwhile.",
                hint="Look at them again, and change them then.",
            )

    async def forget(self, owner: OwnerId, provider: str) -> bool:
        """Delete one; say whether there was one."""
        query = delete(table).where(table.c.owner == owner, table.c.provider == provider)
        return await self._connections.write(_change, query) > 0

    async def sealed_otherwise(
        self, key_id: str, *, after: str, limit: int
    ) -> tuple[ProviderConfig, ...]:
        """Those with a key under any other master key, of all owners, by id after `after`."""
        query = select(table).where(table.c.key_id != key_id, table.c.id > (after or _FIRST))
        return await self._connections.look(_fetch, query.order_by(table.c.id).limit(limit))

    async def rewrap(self, config: ProviderConfig, sealed: Sealed) -> bool:
        """Replace what is sealed, if it is still as in `config`; say whether it was."""
        query = update(table).where(
            table.c.id == config.id,
            table.c.version == config.version,
            table.c.key_id == config.key_id,
        )
        changes = query.values(key_id=sealed.key_id, sealed=sealed.data)
        return await self._connections.write(_change, changes) > 0

    async def key_ids(self) -> dict[str, int]:
        """How many keys are stored under each master key."""
        return await self._connections.look(_count)


def fetch_all(connection: Connection) -> tuple[ProviderConfig, ...]:
    """What is stored for all owners."""
    return _fetch(connection, select(table).order_by(table.c.id))


def _fetch(
    connection: Connection, query: Select[Any], given: rows.Values | None = None
) -> tuple[ProviderConfig, ...]:
    return tuple(map(rows.provider_config, connection.execute(query, given).mappings()))


def _count(connection: Connection) -> dict[str, int]:
    counted = select(table.c.key_id, func.count()).where(table.c.key_id.is_not(None))
    return {row[0]: row[1] for row in connection.execute(counted.group_by(table.c.key_id))}


def _insert(connection: Connection, values: rows.Values) -> None:
    connection.execute(insert(table), [values])


def _change(connection: Connection, query: Update | Delete) -> int:
    return connection.execute(query).rowcount
