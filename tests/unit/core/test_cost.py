"""Costs: exact to the last digit, unknown where they are unknown, estimates that say so."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.cost import (
    COST_MAX,
    IMAGE_TOKENS,
    Outcome,
    cost,
    dollars,
    per_token,
    request_tokens,
    shown,
    spent,
    text_tokens,
)
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.ids import ExecutionId, MessageId, TurnId
from bestchat_server_ext.core.messages import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import ModelRef, Prices, Usage
from bestchat_server_ext.core.reply import Reply, ReplyPart
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolCall, ToolResult, ToolSpec

ALL = Prices("3", "15", "0.3", "3.75", "2026-11-01")


@pytest.mark.parametrize(
    ("price", "picodollars"),
    [
        ("3", 3_000_000),
        ("0", 0),
        ("0.0", 0),
        ("0.075", 75_000),
        ("0.000001", 1),
        ("15.123456", 15_123_456),
        ("2.50000000", 2_500_000),
        ("999999999", 999_999_999_000_000),
    ],
)
def test_prices_come_out_whole(price: str, picodollars: int) -> None:
    assert per_token(price) == picodollars


@pytest.mark.parametrize(
    "price",
    [
        *("", "free", "-1", "+1", "1e-6", ".5", "1.", "1,5", "0.0000001", "1.23456789"),
        *("1000000000", " 1", "1\n", "٣", "NaN", "1_0", "$3", "9" * 5000),
    ],
)
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        per_token(price)
    assert caught.value.info.hint
    assert len(caught.value.info.text) < 120


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(1000, 200, cached_tokens=600, reasoning_tokens=150, cache_write_tokens=100)
    # 300 plain, 200 out (reasoning is part of them), 600 read, 100 written
    expected = 300 * 3_000_000 + 200 * 15_000_000 + 600 * 300_000 + 100 * 3_750_000
    assert cost(usage, ALL) == expected == 4_455_000_000
    assert dollars(expected) == "0.004455"


def without(**prices: None) -> Prices:
    return msgspec.structs.replace(ALL, **prices)


@pytest.mark.parametrize(
    ("usage", "prices"),
    [
        (Usage(10, 1), None),
        (Usage(), None),
        (Usage(), Prices()),
        (Usage(10, 1), Prices()),
        (Usage(10, 1), without(input=None)),
        (Usage(10, 1), without(output=None)),
        (Usage(10, 1, cached_tokens=1), without(cache_read=None)),
        (Usage(10, 1, cache_write_tokens=1), without(cache_write=None)),
        (Usage(10, 1, cached_tokens=11), ALL),
        (Usage(10, 1, cached_tokens=6, cache_write_tokens=5), ALL),
        (Usage(10, -1), ALL),
        (Usage(2**53, 0), Prices(input="999999999")),
        (Usage(200_001, 1), Prices("1", "1", up_to=200_000)),
        (Usage(200_001, 1, cached_tokens=200_001), Prices("1", "1", "1", up_to=200_000)),
    ],
)
def test_what_is_not_known_is_unknown(usage: Usage, prices: Prices | None) -> None:
    """Never zero, and never a neighbour's price."""
    assert cost(usage, prices) is None


@pytest.mark.parametrize(
    ("usage", "prices"),
    [
        (Usage(10, 1), without(cache_read=None, cache_write=None)),
        (Usage(10, 0, cached_tokens=10), without(input=None, output=None)),
        (Usage(), Prices(input="1")),
        (Usage(5, 5), Prices("0", "0")),
        (Usage(200_000, 1), Prices("1", "1", up_to=200_000)),
    ],
)
def test_a_kind_without_tokens_needs_no_price(usage: Usage, prices: Prices) -> None:
    assert cost(usage, prices) is not None


def test_the_largest_cost_still_fits() -> None:
    tokens, rest = divmod(COST_MAX, per_token("1"))
    assert cost(Usage(tokens), Prices(input="1")) == COST_MAX - rest
    assert cost(Usage(tokens + 1), Prices(input="1")) is None


def test_a_price_that_is_none_is_an_error() -> None:
    with pytest.raises(InvalidRequest):
        cost(Usage(1, 1), Prices("1", "cheap"))


PRICES = st.decimals(0, 10_000, places=6).map(lambda price: f"{price:f}")
TOKENS = st.integers(0, 10**7)


@given(st.tuples(*[st.tuples(TOKENS, PRICES)] * 4))
def test_it_is_what_decimal_arithmetic_says(kinds: tuple[tuple[int, str], ...]) -> None:
    (plain, price), (out, output), (read, cache_read), (written, cache_write) = kinds
    usage = Usage(plain + read + written, out, read, 0, written)
    found = cost(usage, Prices(price, output, cache_read, cache_write))
    assert found is not None
    millionths = sum((count * Decimal(price) for count, price in kinds), Decimal(0))
    assert Decimal(found).scaleb(-12) == millionths.scaleb(-6) == Decimal(dollars(found))


class TestMoneyAsText:
    @pytest.mark.parametrize(
        ("picodollars", "text"),
        [
            (0, "0"),
            (1, "0.000000000001"),
            (1_234_000_000, "0.001234"),
            (10**12, "1"),
            (15 * 10**11, "1.5"),
            (100 * 10**12, "100"),
            (2**63, "9223372.036854775808"),
        ],
    )
    def test_exactly(self, picodollars: int, text: str) -> None:
        assert dollars(picodollars) == text

    @given(st.integers(0, 2**70))
    def test_nothing_is_lost(self, picodollars: int) -> None:
        assert int(Decimal(dollars(picodollars)).scaleb(12)) == picodollars

    @pytest.mark.parametrize(
        ("picodollars", "text"),
        [
            (None, "unknown"),
            (0, "$0"),
            (1, "< $0.0001"),
            (10**8 - 1, "< $0.0001"),
            (10**8, "$0.0001"),
            (1_234_000_000, "$0.0012"),
            (1_250_000_000, "$0.0013"),
            (999_940_000_000, "$0.9999"),
            (999_950_000_000, "$1.00"),
            (1_005_000_000_000, "$1.01"),
            (1_234_500_000_000_000, "$1,234.50"),
        ],
    )
    def test_for_people(self, picodollars: int | None, text: str) -> None:
        assert shown(picodollars) == text


def message(*parts: Part) -> Message:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Message(MessageId("m"), None, "user", parts, at, TurnId("t"))


def request(*parts: Part, system: str = "", tools: tuple[ToolSpec, ...] = ()) -> ModelRequest:
    return ModelRequest(ModelRef("a", "b"), (message(*parts),), system, tools)


ASKED = request(TextPart("x" * 400))
HALF = Reply((ReplyPart("reasoning", "r" * 40), ReplyPart("text", "t" * 80)))


class TestEstimates:
    @pytest.mark.parametrize(
        ("text", "tokens"),
        [
            ("", 0),
            ("a", 1),
            ("abcd", 1),
            ("abcde", 2),
            ("привет", 3),
            ("你好世界", 3),
            ("\ud800", 1),
        ],
    )
    def test_texts(self, text: str, tokens: int) -> None:
        assert text_tokens(text) == tokens

    def test_everything_in_a_request_counts(self) -> None:
        call = ToolCall("call", "r" * 8, "a" * 12)
        parts: list[Part] = [
            TextPart("t" * 40),
            ReasoningPart("r" * 80),
            ToolCallPart(call, ExecutionId("e")),
            ToolResultPart("call", "read", ToolResult("c" * 400)),
        ]
        assert request_tokens(request(*parts)) == 10 + 20 + 5 + 100
        assert request_tokens(request(*parts, system="s" * 4)) == 136
        image = ImagePart("image/png", b"x" * 10**6)
        assert request_tokens(request(*parts, image, image)) == 135 + 2 * IMAGE_TOKENS
        tool = ToolSpec("read", "d" * 400, {})
        assert request_tokens(request(*parts, tools=(tool,))) > 235

    @pytest.mark.parametrize(
        ("reply", "outcome", "expected"),
        [
            # What a provider reports at the end of an answer counts.
            (HALF, "answered", (Usage(100, 30, reasoning_tokens=10), True)),
            (msgspec.structs.replace(HALF, usage=Usage(7, 8)), "answered", (Usage(7, 8), False)),
            # Nobody charges for an error.
            (Reply(), "failed", (Usage(), False)),
            # Cut short: what arrived, and what was read.
            (HALF, "failed", (Usage(100, 30, reasoning_tokens=10), True)),
            (Reply(calls=(ToolCall("c", "ab", "cd"),)), "failed", (Usage(100, 1), True)),
            (Reply(), "cancelled", (Usage(100), True)),
            # A report from the beginning is no report of the end.
            (
                msgspec.structs.replace(HALF, usage=Usage(95, 1, 60, 0, 20)),
                "cancelled",
                (Usage(95, 30, 60, 10, 20), True),
            ),
            (
                msgspec.structs.replace(HALF, usage=Usage(95, 99, reasoning_tokens=50)),
                "failed",
                (Usage(95, 99, reasoning_tokens=50), True),
            ),
            (Reply(usage=Usage(95)), "failed", (Usage(95), True)),
        ],
    )
    def test_what_was_spent(
        self, reply: Reply, outcome: Outcome, expected: tuple[Usage, bool]
    ) -> None:
        assert spent(ASKED, reply, outcome) == expected
