"""All procedures, in the order of the documentation."""

from __future__ import annotations

from typing import Any

from bestchat_server_ext.api import (
    approvals,
    conversations,
    events,
    files,
    messages,
    models,
    pages,
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
    conversations.search,
    conversations.rename,
    conversations.configure,
    conversations.star,
    conversations.archive,
    conversations.fork,
    conversations.export,
    conversations.import_,
    conversations.delete,
    conversations.restore,
    turns.start,
    turns.continue_,
    turns.cancel,
    turns.get,
    turns.unqueue,
    turns.send_queued,
    messages.edit,
    messages.regenerate,
    messages.pin,
    files.create,
    files.get,
    files.list_,
    files.delete,
    pages.read,
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
