"""What is set for one conversation: who answers in it, how, and for how much."""

from __future__ import annotations

import msgspec


class ConversationSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """The settings of a conversation. What is not set is left to the configuration."""

    model: str | None = None
    """Model reference of who answers where a request names nobody."""
    fallback_models: tuple[str, ...] | None = None
    """Who stands in when that model is down, the first one first; empty for nobody."""
    system_prompt: str = ""
    """Standing instructions to the model."""
    max_cost: str | None = None
    """US dollars that all its answers together may cost, as a decimal number; none for no limit.
    Checked before every request to a model."""
