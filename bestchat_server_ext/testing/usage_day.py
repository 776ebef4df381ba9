"""A day's requests to models, and what they cost: a table that was made by hand.

Sixty attempts on four models, in all the ways in which they end. Whoever notes them, in any order
and more than once, has to come to the sums below, to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bestchat_server_ext.api.usage import Spending
from bestchat_server_ext.core.cost import Outcome
from bestchat_server_ext.core.ids import ConversationId, OwnerId, TurnId
from bestchat_server_ext.core.models import ModelRef, Prices, Usage
from bestchat_server_ext.testing.clock import ManualClock

DAY = date(2026, 11, 23)
LAST_MOMENT = datetime(2026, 11, 23, 23, 59, 59, 999999, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)

GPT, CLAUDE, LLAMA, OWN = map(
    ModelRef.parse,
    ["openai/gpt-5", "anthropic/claude-sonnet-5", "ollama/llama3:8b", "own/tuned/model"],
)
GPT_PRICES = Prices("1.25", "10", "0.125", None, "2026-11-01")
CLAUDE_PRICES = Prices("3", "15", "0.30", "3.75", "2026-11-01")
NO_CACHE_PRICES = Prices("3", "15", as_of="2026-11-01")
FREE = Prices("0", "0")


@dataclass(frozen=True)
class Line:
    """Some attempts of one kind."""

    count: int
    model: ModelRef
    prices: Prices | None
    usage: Usage
    outcome: Outcome = "answered"
    error_code: str | None = None
    estimated: bool = False
    attempt: int = 1
    at: datetime | None = None


LINES = (
    Line(12, GPT, GPT_PRICES, Usage(1000, 200)),
    Line(6, GPT, GPT_PRICES, Usage(2000, 100, cached_tokens=1500)),
    # Too busy; another model stood in, at once.
    Line(5, GPT, GPT_PRICES, Usage(), "failed", "rate_limited"),
    Line(5, CLAUDE, CLAUDE_PRICES, Usage(900, 300, reasoning_tokens=250), attempt=2),
    Line(4, CLAUDE, CLAUDE_PRICES, Usage(5000, 50, 1000, 0, cache_write_tokens=3500)),
    # Stopped, and cut off, in the middle of an answer.
    Line(3, CLAUDE, CLAUDE_PRICES, Usage(700, 33), "cancelled", estimated=True),
    Line(
        *(1, CLAUDE, CLAUDE_PRICES, Usage(700, 10, reasoning_tokens=10)),
        *("failed", "provider_unavailable"),
        estimated=True,
    ),
    # What the cache charges is not known, and so neither is the cost.
    Line(2, CLAUDE, NO_CACHE_PRICES, Usage(100, 10, cached_tokens=10)),
    Line(8, LLAMA, FREE, Usage(3000, 500)),
    Line(7, OWN, None, Usage(400, 40)),
    Line(2, OWN, None, Usage(100, 1), "cancelled", estimated=True),
    # Answers that nobody counted.
    Line(3, GPT, GPT_PRICES, Usage()),
    # Around midnight.
    Line(1, GPT, GPT_PRICES, Usage(10, 3), at=LAST_MOMENT),
    Line(1, GPT, GPT_PRICES, Usage(10, 3), at=LAST_MOMENT + timedelta(microseconds=1)),
)


def attempts(owner: OwnerId) -> Iterator[dict[str, Any]]:
    """What is known of each attempt, by the names that noting it takes."""
    clock = ManualClock(datetime(2026, 11, 23, tzinfo=UTC), origin=13)
    conversations = [ConversationId(clock.new_id()) for _ in range(3)]
    for line in LINES:
        for number in range(line.count):
            clock.advance(60)
            yield {
                "owner": owner,
                "conversation_id": conversations[number % len(conversations)],
                "turn_id": TurnId(clock.new_id()),
                "step": 1 + number % 2,
                "attempt": line.attempt,
                "model": line.model,
                "outcome": line.outcome,
                "error_code": line.error_code,
                "usage": line.usage,
                "prices": line.prices,
                "estimated": line.estimated,
                "at": line.at or clock.now(),
            }


TOTAL = Spending(
    attempts=60,
    failed=6,
    cancelled=5,
    usage=Usage(78_520, 9_117, 13_020, 1_260, 14_000),
    cost="0.158695",
    unknown_attempts=14,
    estimated=6,
    estimated_tokens=3_111,
    estimated_cost="0.010035",
)

BY_MODEL = {
    CLAUDE: Spending(
        attempts=15,
        failed=1,
        cancelled=3,
        usage=Usage(27_500, 1_829, 4_020, 1_260, 14_000),
        # 5 · 0.0072 + 4 · 0.015675 + 3 · 0.002595 + 0.00225
        cost="0.108735",
        unknown_attempts=2,
        estimated=4,
        estimated_tokens=2_909,
        # 3 · 0.002595 + 0.00225
        estimated_cost="0.010035",
    ),
    LLAMA: Spending(8, 0, 0, Usage(24_000, 4_000), "0", 0, 0, 0, "0"),
    # 12 · 0.00325 + 6 · 0.0018125 + 2 · 0.0000425
    GPT: Spending(28, 5, 0, Usage(24_020, 3_006, 9_000), "0.04996", 3, 0, 0, "0"),
    OWN: Spending(9, 0, 2, Usage(3_000, 282), None, 9, 2, 202, None),
}
"""In the order of their names."""

BY_DAY = {
    NEXT_DAY: Spending(1, 0, 0, Usage(10, 3), "0.0000425", 0, 0, 0, "0"),
    DAY: Spending(
        attempts=59,
        failed=6,
        cancelled=5,
        usage=Usage(78_510, 9_114, 13_020, 1_260, 14_000),
        cost="0.1586525",
        unknown_attempts=14,
        estimated=6,
        estimated_tokens=3_111,
        estimated_cost="0.010035",
    ),
}
"""The newest first."""
