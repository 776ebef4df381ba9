"""Make the catalogue of models from litellm's price map.

The map is a file of the installed package; litellm itself is not loaded. What is kept are models
that chat over our lanes, of providers in our own table, and of them the facts that BestChat uses.
With `--check`, nothing is written: it fails if the file is not what this litellm makes of it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import distribution
from typing import Any

import msgspec

from bestchat_server_ext.adapters.catalog_file.catalog import (
    MODELS,
    PROVIDERS,
    ListedModel,
    ListedProvider,
    ModelFile,
)
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import Prices

COMMAND = "python scripts/make_catalog.py"
MAP = "litellm/model_prices_and_context_window_backup.json"

CHAT = "/v1/chat/completions"
MODES = frozenset({"chat", "responses"})

PER_MILLION = 1_000_000
SMALLEST = Decimal("0.000001")
"""US dollars per million tokens. A millionth of that is a picodollar per token, the unit that we
count in; what is smaller in the map is what floating-point arithmetic left there."""

PRICES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
}
TIERS = (100, 128, 200, 256, 272, 512)
"""Thousands of tokens above which some models cost more."""

NAME_MAX = 200

FINE_TUNED = "ft:"
"""Before what models cost that somebody has made of others; nobody can ask for one so."""

Entry = dict[str, Any]


def price_map() -> dict[str, Entry]:
    """The map of the installed litellm, numbers with a fraction exactly as written."""
    path = distribution("litellm").locate_file(MAP)
    with open(str(path), encoding="utf-8") as file:  # noqa: PTH123  a path of importlib's own
        entries: dict[str, Entry] = json.load(file, parse_float=Decimal)
    entries.pop("sample_spec")
    return entries


def name_of(key: str, provider: ProviderFacts) -> str | None:
    """What the provider itself calls a model; none for what is no model of its own.

    The map puts litellm's name before most models, and a region or a commitment before some. The
    region is chosen by the address, and its prices are not those that most people pay.
    """
    first, slash, rest = key.partition("/")
    name = rest if slash and first in provider.litellm_names else key
    own = not provider.own_names or re.fullmatch(provider.own_names, name)
    fits = own and name.isprintable() and len(name) <= NAME_MAX and not name.startswith(FINE_TUNED)
    return name if fits else None


def chats(entry: Entry) -> bool:
    """Whether a model answers chat completions with text."""
    endpoints = entry.get("supported_endpoints")
    spoken = CHAT in endpoints if endpoints else entry.get("mode") == "chat"
    return (
        entry.get("mode") in MODES
        and spoken
        and "text" in entry.get("supported_output_modalities", ["text"])
    )


def price(value: Decimal | float | None) -> str | None:
    """A price per token as one per million, in decimal digits."""
    if value is None:
        return None
    exact = (Decimal(value) * PER_MILLION).quantize(SMALLEST)
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".")


def prices_of(entry: Entry) -> Prices | None:
    """The prices of a model; none if the map has none, or says that all of it is free.

    Where a long request costs more, the prices are those of a short one, up to so many tokens.
    """
    up_to: int | None = None
    for thousands in reversed(TIERS):
        if f"input_cost_per_token_above_{thousands}k_tokens" in entry:
            up_to = thousands * 1000
    tiers = entry.get("tiered_pricing")
    if tiers and "input_cost_per_token" not in entry:
        entry, up_to = tiers[0], int(tiers[0]["range"][1])
    found = {ours: price(entry.get(theirs)) for ours, theirs in PRICES.items()}
    if not any(value and Decimal(value) for value in (found["input"], found["output"])):
        return None
    if found["cache_write"] == "0":  # where writing is not charged, it is tokens that go in
        found["cache_write"] = None
    return Prices(**found, up_to=up_to)


def model_of(entry: Entry) -> ListedModel:
    """What we keep of an entry."""
    return ListedModel(
        window=entry.get("max_input_tokens"),
        output_limit=entry.get("max_output_tokens"),
        tools=entry.get("supports_function_calling"),
        images=entry.get("supports_vision"),
        reasoning=entry.get("supports_reasoning"),
        prefill=entry.get("supports_assistant_prefill"),
        cache=entry.get("supports_prompt_caching"),
        deprecated=entry.get("deprecation_date") or "",
        prices=prices_of(entry),
    )


def entries_of(
    provider: ProviderFacts, entries: dict[str, Entry], day: str
) -> Iterator[tuple[str, Entry]]:
    """The entries of a provider that it still serves, under its own names.

    Where two have the same name, the one that stands under litellm's name as well comes last.
    """
    names = set(provider.litellm_names)
    names |= {f"text-completion-{name}" for name in names}
    for key in sorted(entries, key=lambda key: ("/" in key, key)):
        entry, name = entries[key], name_of(key, provider)
        served = (entry.get("deprecation_date") or day) >= day
        if name is not None and served and entry.get("litellm_provider") in names:
            yield name, entry


def listed(provider: ProviderFacts, entries: dict[str, Entry], day: str) -> ListedProvider:
    """The models of a provider."""
    models: dict[str, ListedModel] = {}
    others: set[str] = set()
    for name, entry in entries_of(provider, entries, day):
        model = model_of(entry)
        if chats(entry) and (model.window or model.output_limit or model.prices):
            models[name] = model
        elif provider.list_path is not None:
            others.add(name)
    return ListedProvider(dict(sorted(models.items())), frozenset(others - models.keys()))


def catalogue(day: str) -> bytes:
    """The file, as of a day."""
    entries = price_map()
    table = msgspec.json.decode(PROVIDERS.read_bytes(), type=tuple[ProviderFacts, ...])
    every = {facts.name: listed(facts, entries, day) for facts in table}
    file = ModelFile(
        as_of=day,
        source=f"litellm {distribution('litellm').version}",
        providers={
            name: msgspec.Raw(msgspec.json.encode(one, order="sorted"))
            for name, one in sorted(every.items())
            if one.models or one.others
        },
    )
    return with_lines(file)


def with_lines(file: ModelFile) -> bytes:
    """The file with a line for each provider, so that a difference can be read."""
    head = f'{{"as_of":"{file.as_of}","source":"{file.source}","providers":{{\n'.encode()
    lines = [f'"{name}":'.encode() + bytes(raw) for name, raw in file.providers.items()]
    return head + b",\n".join(lines) + b"\n}}\n"


def main() -> int:
    """Write the file, or check it."""
    if "--check" not in sys.argv[1:]:
        MODELS.write_bytes(catalogue(datetime.now(UTC).date().isoformat()))
        return 0
    shipped = MODELS.read_bytes()
    if catalogue(msgspec.json.decode(shipped, type=ModelFile).as_of) == shipped:
        return 0
    print(f"{MODELS.name} is not what this litellm makes of it: run `{COMMAND}`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
