"""What a notebook can learn of its conversation, its models and its costs.

Runs on the loop thread.
"""

from __future__ import annotations

from bestchat_kernel.session import ChatSession
from bestchat_server_ext.api import conversations, models, usage
from bestchat_server_ext.core.cost import Grouping
from bestchat_server_ext.core.errors import InvalidRequest, NotFound
from bestchat_server_ext.core.ids import ConversationId
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.models import ModelFacts

_FORMATS: dict[str, conversations.ExportFormat] = {
    ".md": "markdown",
    ".ipynb": "notebook",
    ".json": "json",
}


async def known_models(session: ChatSession) -> models.ModelList:
    """The models that are known without asking a provider, and the default one."""
    client = (await session.connection()).client
    return await client.call(models.list_, models.ListModels(known_only=True))


async def choose_model(session: ChatSession, reference: str) -> ModelFacts:
    """Let a model answer from now on.

    Raises:
        ChatError: there is no such provider, or it is no reference.
    """
    client = (await session.connection()).client
    facts = await client.call(models.get, models.GetModel(reference))
    session.model = facts.ref
    return facts


async def history(session: ChatSession) -> tuple[Message, ...]:
    """What was said on the newest branch of the notebook's conversation."""
    client = (await session.connection()).client
    request = conversations.GetConversation(_conversation(session))
    state = await client.call(conversations.get, request)
    return tuple(message for message in state.branch(state.newest) if message.text)


async def spent(session: ChatSession, by: Grouping) -> usage.UsageSummary:
    """What this month cost."""
    client = (await session.connection()).client
    return await client.call(usage.summary, usage.SummarizeUsage(by=by))


async def exported(session: ChatSession, ending: str) -> conversations.ExportedFile:
    """The notebook's conversation as the text of a file.

    Raises:
        InvalidRequest: there is no format for that ending.
        NotFound: there is no conversation yet.
    """
    if ending not in _FORMATS:
        raise InvalidRequest(
            f"There is no format for {ending[:20]!r}.",
            hint=f"The file can end in {', '.join(_FORMATS)}.",
            field="export",
        )
    client = (await session.connection()).client
    request = conversations.ExportConversation(_conversation(session), _FORMATS[ending])
    return await client.call(conversations.export, request)


def _conversation(session: ChatSession) -> ConversationId:
    if session.conversation_id is None:
        raise NotFound("Nothing was said here yet.", hint="Ask with %%chat or %chat ask.")
    return session.conversation_id
