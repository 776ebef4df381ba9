"""What requests to models cost: exact where it is known, marked where it is estimated.

Money is whole picodollars, 10⁻¹² US dollars. A price of a dollar for a million tokens is a million
of them for one token, so that every price with up to six digits after the point comes out whole,
and nothing is ever rounded: not in a cost, and not in a sum of any number of them.

What is not known is unknown, and never zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import Prices, Usage
from bestchat_server_ext.core.reply import Reply
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolCall, ToolSpec

Outcome = Literal["answered", "failed", "cancelled"]
"""How an attempt to get an answer ended."""

Grouping = Literal["day", "model", "conversation"]
"""What sums are made for: each day in UTC, each model, each conversation."""

COST_MAX = 2**63 - 1
"""Picodollars that a column holds: nine million dollars. A request that would cost more has counts
that cannot be right, and so its cost is unknown."""

IMAGE_TOKENS = 1000
"""What an image counts where nobody says: about what providers charge for one of a common size."""

_BYTES_PER_TOKEN = 4
_PRICE = re.compile(r"(?P<whole>[0-9]{1,9})(?:\.(?P<fraction>[0-9]{1,6})0*)?")
_AMOUNT = re.compile(r"(?P<whole>[0-9]{1,6})(?:\.(?P<fraction>[0-9]{1,12})0*)?")
_DOLLAR = 10**12
_CENT = _DOLLAR // 100
_SMALLEST_SHOWN = _DOLLAR // 10_000


# Prices.


def per_token(price: str) -> int:
    """Picodollars for one token, from US dollars for a million.

    Raises:
        InvalidRequest: it is not a plain decimal number, or has more than six digits after the
            point. It would not come out whole, and a price that is rounded is another price.
    """
    found = _PRICE.fullmatch(price)
    if found is None:
        raise InvalidRequest(
            f"{price[:40]!r} is not a price for a million tokens in US dollars.",
            hint="Write a decimal number with at most six digits after the point, as 0.075.",
            field="prices",
        )
    return int(found["whole"] + (found["fraction"] or "").ljust(6, "0"))


def cost(usage: Usage, prices: Prices | None) -> int | None:
    """Picodollars for a request; none where they are unknown.

    Tokens that the provider's cache gave or took are charged at the cache's prices, and all other
    input at the plain one; reasoning is output. A kind that has tokens needs its price. A missing
    price of the cache is not replaced by that of plain input: providers charge from a tenth of it
    for reading to double for writing. Where a provider has no such price, the catalogue repeats
    that of input.

    The cost is unknown too where a request is longer than those for which the prices are, and
    where the counts contradict each other or are out of all proportion.

    Raises:
        InvalidRequest: one of the prices is none.
    """
    if prices is None:
        return None
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    kinds = (
        (plain, prices.input),
        (usage.output_tokens, prices.output),
        (usage.cached_tokens, prices.cache_read),
        (usage.cache_write_tokens, prices.cache_write),
    )
    too_long = prices.up_to is not None and usage.input_tokens > prices.up_to
    if too_long or all(price is None for _, price in kinds):
        return None
    total = 0
    for tokens, price in kinds:
        if tokens < 0 or (tokens and price is None):
            return None
        total += tokens * per_token(price) if price is not None else 0
    return total if total <= COST_MAX else None


def picodollars(amount: str) -> int:
    """Picodollars in US dollars.

    Raises:
        InvalidRequest: it is not a plain decimal number, or has more than twelve digits after the
            point.
    """
    found = _AMOUNT.fullmatch(amount)
    if found is None:
        raise InvalidRequest(
            f"{amount[:40]!r} is not an amount of US dollars.",
            hint="Write a decimal number, as 0.50.",
            field="max_cost",
        )
    return int(found["whole"] + (found["fraction"] or "").ljust(12, "0"))


# Estimates.


def spent(request: ModelRequest, reply: Reply, outcome: Outcome) -> tuple[Usage, bool]:
    """The tokens of an attempt, and whether they are estimated.

    What a provider reports at the end of an answer counts as it is. Of an answer that was cut
    short it can have reported no more than a beginning: what arrived is estimated, and the report
    is trusted where it says more. A request that brought nothing but an error was charged by
    nobody; one that was cancelled while the model was still reading was read all the same.

    Args:
        request: what was asked.
        reply: what this attempt brought, without what an earlier one had.
        outcome: how it ended.
    """
    reported = reply.usage
    if outcome == "answered" and reported != Usage():
        return reported, False
    if outcome == "failed" and not reply.parts and not reply.calls and reported == Usage():
        return Usage(), False
    output, reasoning = _said_tokens(reply)
    given = reported if reported.input_tokens else Usage(input_tokens=request_tokens(request))
    return Usage(
        input_tokens=given.input_tokens,
        output_tokens=max(output, reported.output_tokens),
        cached_tokens=given.cached_tokens,
        reasoning_tokens=max(reasoning, reported.reasoning_tokens),
        cache_write_tokens=given.cache_write_tokens,
    ), True


def text_tokens(*texts: str) -> int:
    """About how many tokens texts have together.

    A quarter of their bytes in UTF-8. That is four characters for a token where the script is
    Latin, two where it is Greek, Cyrillic or Arabic, and one and a third where it is Chinese,
    Japanese or Korean: tokenizers, which begin with bytes, come out near that.
    """
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return -(-size // _BYTES_PER_TOKEN)


def message_tokens(message: Message) -> int:
    """About how many tokens a message has."""
    return text_tokens(*map(_text, message.parts)) + _image_tokens(message.parts)


def fixed_tokens(system: str, tools: Sequence[ToolSpec]) -> int:
    """About how many tokens the instructions and tools of a request have."""
    return text_tokens(system, _tools_text(tools))


def request_tokens(request: ModelRequest) -> int:
    """About how many tokens a request has."""
    parts = [part for message in request.messages for part in message.parts]
    texts = request.system, _tools_text(request.tools), *map(_text, parts)
    return text_tokens(*texts) + _image_tokens(parts)


def _tools_text(tools: Sequence[ToolSpec]) -> str:
    return msgspec.json.encode(tools).decode() if tools else ""


def _image_tokens(parts: Sequence[Part]) -> int:
    return IMAGE_TOKENS * sum(isinstance(part, ImagePart) for part in parts)


def _text(part: Part) -> str:
    """What of a part a model reads as text."""
    match part:
        case TextPart(text=text) | ReasoningPart(text=text):
            return text
        case ToolCallPart(call=call):
            return _call_text(call)
        case ToolResultPart(result=result):
            return result.content
        case ImagePart() | FilePart():  # what a file says stands in the request in its place
            return ""


def _said_tokens(reply: Reply) -> tuple[int, int]:
    """About how many tokens a reply has, and how many of them are reasoning."""
    thoughts = [part.text for part in reply.parts if part.kind == "reasoning"]
    said = [part.text for part in reply.parts if part.kind != "reasoning"]
    reasoning = text_tokens(*thoughts)
    return reasoning + text_tokens(*said, *map(_call_text, reply.calls)), reasoning


def _call_text(call: ToolCall) -> str:
    return call.name + call.arguments


# Reading.


def dollars(picodollars: int) -> str:
    """US dollars as a decimal number, exact to the last digit: `0.001234`."""
    whole, rest = divmod(picodollars, _DOLLAR)
    return f"{whole}.{rest:012d}".rstrip("0").rstrip(".")


def shown(picodollars: int | None) -> str:
    """US dollars for people: `$0.0012`, `< $0.0001`, `$1,234.50`, `unknown`."""
    if picodollars is None:
        return "unknown"
    if picodollars == 0:
        return "$0"
    if picodollars < _SMALLEST_SHOWN:
        return "< $0.0001"
    small = _rounded(picodollars, _SMALLEST_SHOWN)
    if small < _DOLLAR // _SMALLEST_SHOWN:
        return f"$0.{small:04d}"
    whole, cents = divmod(_rounded(picodollars, _CENT), 100)
    return f"${whole:,}.{cents:02d}"


def _rounded(picodollars: int, unit: int) -> int:
    return (picodollars + unit // 2) // unit
