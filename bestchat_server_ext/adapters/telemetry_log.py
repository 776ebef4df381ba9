"""A line in the log for each turn that ends, and at level DEBUG for each step and tool.

The fields hang on the record too, as the dictionary `record.bestchat`, for formatters that write
JSON.
"""

from __future__ import annotations

import json
import logging

from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.ports.telemetry import (
    Fact,
    StepEnded,
    ToolEnded,
    TurnEnded,
    TurnLeft,
)

LOGGER = "bestchat_server_ext.turns"
"""What these lines are filtered by."""

EXTRA = "bestchat"
"""The attribute of a record that holds the fields."""

_LONGEST = 120
"""Characters of one value: a model's name is what somebody typed."""

Fields = dict[str, str | int | float | None]

_log = logging.getLogger(LOGGER)


class TelemetryLog:
    """The port `telemetry`, written down."""

    def notice(self, fact: Fact) -> None:
        """Write a line, if this is the end of something and the logger wants it."""
        match fact:
            case TurnEnded() if _log.isEnabledFor(logging.INFO):
                _write(logging.INFO, "turn ended", _of_turn(fact))
            case TurnLeft() if _log.isEnabledFor(logging.DEBUG):
                where = {"conversation": fact.conversation_id, "turn": fact.turn_id}
                _write(logging.DEBUG, "turn left", {**where})
            case StepEnded() if _log.isEnabledFor(logging.DEBUG):
                _write(logging.DEBUG, "step ended", _of_step(fact))
            case ToolEnded() if _log.isEnabledFor(logging.DEBUG):
                _write(logging.DEBUG, "tool ended", _of_tool(fact))
            case _:
                pass

    async def close(self) -> None:
        """Nothing is held."""


def _of_turn(fact: TurnEnded) -> Fields:
    first = fact.first_delta_seconds
    return {
        "state": fact.state,
        **_failure(fact.error),
        "model": fact.model,
        "steps": fact.steps,
        "seconds": round(fact.seconds, 3),
        "first_delta_ms": None if first is None else round(1000 * first),
        **_tokens(fact.usage),
        "tools": fact.tools,
        "conversation": fact.conversation_id,
        "turn": fact.turn_id,
    }


def _of_step(fact: StepEnded) -> Fields:
    return {
        "step": fact.step,
        **_failure(fact.error),
        "provider": fact.provider,
        "finish_reason": fact.finish_reason,
        "seconds": round(fact.seconds, 3),
        **_tokens(fact.usage),
        "turn": fact.turn_id,
    }


def _of_tool(fact: ToolEnded) -> Fields:
    return {
        "tool": fact.tool,
        **_failure(fact.error),
        "seconds": round(fact.seconds, 3),
        "execution": fact.execution_id,
        "turn": fact.turn_id,
    }


def _failure(error: str) -> Fields:
    return {"error": error} if error else {}


def _tokens(usage: Usage) -> Fields:
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}


def _write(level: int, what: str, fields: Fields) -> None:
    line = " ".join(f"{name}={_word(value)}" for name, value in fields.items())
    _log.log(level, "%s %s", what, line, extra={EXTRA: fields})


def _word(value: str | float | None) -> str:
    """A value as one word on one line, whatever somebody has put into it."""
    if value is None:
        return "-"
    text = str(value)[:_LONGEST]
    plain = text.isascii() and text.isprintable() and not set(text) & {" ", '"', "="}
    return text if plain and text else json.dumps(text)
