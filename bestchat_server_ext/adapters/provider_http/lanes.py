"""Which format a provider speaks, from what the catalogue says of it."""

from __future__ import annotations

from typing import Any

from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.wire.lane import Lane


def lane_of(facts: ProviderFacts) -> Lane:
    """The lane of a provider; what has no format of its own speaks OpenAI's."""
    paths = {"chat_path": facts.chat_path, "list_path": facts.list_path}
    chosen: dict[str, Any] = {name: path for name, path in paths.items() if path}
    chosen["key_style"] = facts.key_style
    match facts.lane:
        case "anthropic":
            from bestchat_server_ext.core.wire.anthropic import AnthropicLane

            return AnthropicLane(**chosen)
        case "ollama":
            from bestchat_server_ext.core.wire.ollama import OllamaLane

            return OllamaLane(**chosen)
        case _:
            from bestchat_server_ext.core.wire.openai import OpenAILane

            return OpenAILane(
                **chosen,
                stream_usage=facts.stream_usage,
                max_tokens_name=facts.max_tokens_name,
                system_role=facts.system_role,
            )
