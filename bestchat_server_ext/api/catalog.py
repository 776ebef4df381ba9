"""All procedures, in the order of the documentation."""

from __future__ import annotations

from typing import Any

from bestchat_server_ext.api import (
    approvals,
    conversations,
    events,
    models,
    providers,
    system,
    tokens,
    turns,
    usage,
)
from bestchat_server_ext.api.procedure import Procedure

PROCEDURES: tuple[Procedure[Any, Any], ...] = (
    conversations.create,
    conversations.get,
    conversations.list_,
    conversations.rename,
    conversations.delete,
    turns.start,
    turns.cancel,
    turns.get,
    approvals.list_,
    approvals.answer,
    events.replay,
    events.subscribe,
    models.list_,
    models.get,
    providers.list_,
    providers.configure,
    providers.test,
    providers.forget,
    tokens.create,
    tokens.list_,
    tokens.revoke,
    usage.summary,
    system.health,
    system.whoami,
    system.options,
)

BY_NAME: dict[str, Procedure[Any, Any]] = {item.name: item for item in PROCEDURES}
