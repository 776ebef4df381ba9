"""ContextManager: the projection, which is what a model gets to see of a conversation.

The transcript itself is never touched. Nothing that changes from request to request (time,
directory, state of a kernel) stands at the beginning of a request, so that consecutive requests
share their first bytes and a provider's cache recognises them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bestchat_server_ext.core.conversation import ConversationState
from bestchat_server_ext.core.ids import MessageId
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolSpec


class ContextManager:
    """Makes the request for a step out of a conversation."""

    def project(
        self,
        state: ConversationState,
        leaf: MessageId,
        model: ModelRef,
        tools: Sequence[ToolSpec],
    ) -> ModelRequest:
        """The branch that ends in `leaf`, as a request to `model`.

        Tools are sorted by name: the order in which they were registered must not matter to a
        provider's cache.
        """
        return ModelRequest(
            model=model,
            messages=state.branch(leaf),
            tools=tuple(sorted(tools, key=lambda tool: tool.name)),
            owner=state.conversation.owner,
        )
