"""The catalogue that ships: a file for providers, kept by hand, and one for models, made."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.catalog_file import FileCatalog, open_catalog
from bestchat_server_ext.adapters.catalog_file.catalog import MODELS, PROVIDERS
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import ModelRef, Prices
from bestchat_server_ext.ports.catalog import Catalog
from bestchat_server_ext.testing.port_suites.catalog import CatalogSuite

ROOT = Path(__file__).parents[2]

NAMES = [
    "openai",
    "anthropic",
    "gemini",
    "vertex",
    "azure",
    "bedrock",
    "mistral",
    "cohere",
    "groq",
    "together",
    "fireworks",
    "deepseek",
    "xai",
    "openrouter",
    "perplexity",
    "cerebras",
    "sambanova",
    "nvidia",
    "huggingface",
    "databricks",
    "watsonx",
    "moonshot",
    "zai",
    "dashscope",
    "minimax",
    "ollama",
    "lmstudio",
    "vllm",
    "litellm",
    "custom",
    "local",
    "scripted",
]

TABLE = msgspec.json.decode(PROVIDERS.read_bytes(), type=tuple[ProviderFacts, ...])
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
LARGEST = 300_000
"""Bytes of the file of models: it is part of every wheel, and read at the first call."""


@pytest.fixture(scope="module")
def shipped() -> FileCatalog:
    return open_catalog()


class TestFileCatalog(CatalogSuite):
    @pytest.fixture
    def catalog(self, shipped: FileCatalog) -> Catalog:
        return shipped


def made(models: Mapping[str, Any], **facts: Any) -> FileCatalog:
    """A catalogue with one provider and these models."""
    table = [{"name": "a", "label": "A", "lane": "openai", **facts}]
    listed = {"as_of": "2026-01-31", "source": "", "providers": {"a": dict(models)}}
    return FileCatalog(json.dumps(table).encode(), json.dumps(listed).encode())


class TestProviders:
    def test_all_that_were_promised_are_there(self) -> None:
        assert [facts.name for facts in TABLE] == NAMES

    @pytest.mark.parametrize("facts", TABLE, ids=NAMES)
    def test_an_entry_is_whole(self, facts: ProviderFacts) -> None:
        assert facts.label
        assert date.fromisoformat(facts.as_of) <= date.fromisoformat(open_catalog().as_of)
        assert all(VARIABLE.fullmatch(name) for name in facts.variables)
        assert len(set(facts.variables)) == len(facts.variables)
        assert not (facts.needs_key and facts.key_name is None)
        # What is in braces is asked for, else the address would never be whole.
        needed = {item.name for item in facts.other_names if item.needed}
        assert set(re.findall(r"\{(.*?)\}", facts.base_url)) <= needed
        for path in (facts.chat_path, facts.list_path):
            assert path is None or path.startswith("/")
        assert facts.docs.startswith("https://") or facts.at_home or not facts.base_url

    @pytest.mark.parametrize("facts", TABLE, ids=NAMES)
    def test_it_is_reached_safely(self, facts: ProviderFacts) -> None:
        """A key goes over TLS, or to this machine."""
        safe = ("https://", "http://127.0.0.1:", "{")
        assert not facts.base_url or facts.base_url.startswith(safe)
        assert not facts.base_url.endswith("/")
        if facts.lane == "litellm":
            assert facts.litellm_names
        elif not facts.at_home:
            assert facts.base_url or facts.url_name

    def test_no_two_share_a_key(self) -> None:
        keys = [name for facts in TABLE for name in facts.secret_names]
        assert len(set(keys)) == len(keys)

    @pytest.mark.parametrize("facts", [item for item in TABLE if item.default], ids=str)
    def test_a_default_is_known_and_stays(self, facts: ProviderFacts, shipped: FileCatalog) -> None:
        """Of providers whose models are not known at all, nothing can be said."""
        assert facts.default is not None
        if shipped.models(facts.name):
            model = shipped.model(ModelRef(facts.name, facts.default))
            assert model.known
            assert not model.deprecated


class TestModels:
    def test_the_file_is_what_this_litellm_makes_of_it(self) -> None:
        """The lock file pins it; the script says how to make the file anew."""
        done = subprocess.run(
            [sys.executable, ROOT / "scripts" / "make_catalog.py", "--check"],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_it_is_small(self) -> None:
        assert MODELS.stat().st_size < LARGEST

    def test_prices_are_whole_picodollars_of_that_day(self, shipped: FileCatalog) -> None:
        priced = 0
        for item in TABLE:
            for facts in shipped.models(item.name):
                if facts.prices is None:
                    continue
                priced += 1
                assert facts.prices.as_of == shipped.as_of
                prices = facts.prices
                for text in (prices.input, prices.output, prices.cache_read, prices.cache_write):
                    assert text is None or re.fullmatch(r"\d+(\.\d{1,6})?", text)
                assert prices.up_to is None or prices.up_to >= 1000
        assert priced > 500

    def test_a_well_known_model_is_known_well(self, shipped: FileCatalog) -> None:
        facts = shipped.model(ModelRef("anthropic", "claude-haiku-4-5"))
        assert (facts.window, facts.output_limit) == (200_000, 64_000)
        assert (facts.tools, facts.images, facts.prefill, facts.cache) == (True,) * 4
        assert facts.prices == Prices("1", "5", "0.1", "1.25", shipped.as_of)

    def test_a_long_request_may_cost_more(self, shipped: FileCatalog) -> None:
        prices = shipped.model(ModelRef("openai", "gpt-5.5")).prices
        assert prices is not None
        assert prices.up_to == 272_000

    @pytest.mark.parametrize("name", ["text-embedding-3-small", "whisper-1", "gpt-5-pro"])
    def test_what_does_not_chat_over_our_lane_is_told_apart(
        self, shipped: FileCatalog, name: str
    ) -> None:
        assert name in shipped.others("openai")
        assert shipped.model(ModelRef("openai", name)).known is False

    def test_regions_and_fine_tuned_models_are_none_of_them(self, shipped: FileCatalog) -> None:
        for name in ("azure", "bedrock"):
            assert not [facts.ref for facts in shipped.models(name) if facts.ref.count("/") > 1]
        assert not [facts for facts in shipped.models("openai") if "/ft:" in facts.ref]


class TestPrefill:
    @pytest.mark.parametrize(
        ("said", "expected"),
        [({}, [True, None, None]), ({"prefill": False}, [False] * 3)],
    )
    def test_the_lane_decides_before_the_model(self, said: Any, expected: list[Any]) -> None:
        models = {"x": {"prefill": True}, "y": {}}
        catalog = made({"models": models, "others": []}, **said)
        found = [catalog.model(ModelRef("a", name)).prefill for name in ("x", "y", "new")]
        assert found == expected


def test_only_the_provider_that_is_asked_for_is_decoded() -> None:
    broken = b'{"as_of":"","source":"","providers":{"a":{"models":{},"others":[]},"b":{"oops":1}}}'
    catalog = FileCatalog(b"[]", broken)
    assert catalog.models("a") == ()
    with pytest.raises(msgspec.ValidationError):
        catalog.models("b")


def test_a_mistake_in_the_table_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="keyname"):
        made({}, keyname="A_KEY")


class TestScript:
    """What the script makes of one entry of litellm's map."""

    @pytest.fixture
    def script(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(ROOT / "scripts")
        import make_catalog

        return make_catalog

    def test_prices_are_exact(self, script: Any) -> None:
        assert script.price(Decimal("2.5e-08")) == "0.025"
        assert script.price(Decimal("0.00018")) == "180"
        assert script.price(Decimal("1.5000999999999998e-07")) == "0.15001"
        assert script.price(0) == "0"
        assert script.price(None) is None

    def test_nothing_is_free_because_nobody_wrote_a_price(self, script: Any) -> None:
        free = {"input_cost_per_token": 0, "output_cost_per_token": Decimal(0)}
        assert script.prices_of(free) is None
        assert script.prices_of({}) is None

    def test_tiers(self, script: Any) -> None:
        entry = {
            "input_cost_per_token": Decimal("1e-6"),
            "input_cost_per_token_above_200k_tokens": Decimal("2e-6"),
            "input_cost_per_token_above_512k_tokens": Decimal("3e-6"),
        }
        assert script.prices_of(entry) == Prices(input="1", up_to=200_000)
        tiers = [
            {"range": [0, Decimal("256000.0")], "input_cost_per_token": Decimal("5e-8")},
            {"range": [256_000, 1_000_000], "input_cost_per_token": Decimal("2.5e-7")},
        ]
        assert script.prices_of({"tiered_pricing": tiers}) == Prices(input="0.05", up_to=256_000)

    @pytest.mark.parametrize(
        ("entry", "chats"),
        [
            ({"mode": "chat"}, True),
            ({"mode": "responses"}, False),
            ({"mode": "embedding"}, False),
            ({"mode": "responses", "supported_endpoints": ["/v1/chat/completions"]}, True),
            ({"mode": "chat", "supported_endpoints": ["/v1/responses"]}, False),
            ({"mode": "chat", "supported_output_modalities": ["audio"]}, False),
        ],
    )
    def test_what_chats(self, script: Any, entry: Any, *, chats: bool) -> None:
        assert script.chats(entry) is chats

    def test_what_is_no_longer_served_is_left_out(self, script: Any) -> None:
        provider = ProviderFacts("a", "A", "openai", litellm_names=("a",), list_path="/models")
        entries = {
            "a/old": {"litellm_provider": "a", "mode": "chat", "deprecation_date": "2026-01-30"},
            "a/new": {"litellm_provider": "a", "mode": "chat", "max_input_tokens": 1},
            "a/pictures": {"litellm_provider": "a", "mode": "image_generation"},
            "b/other": {"litellm_provider": "b", "mode": "chat", "max_input_tokens": 1},
        }
        listed = script.listed(provider, entries, "2026-01-31")
        assert (list(listed.models), listed.others) == (["new"], {"pictures"})

    def test_litellm_itself_is_not_loaded(self) -> None:
        code = "import sys, make_catalog; make_catalog.price_map(); print('litellm' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT / "scripts",
        )
        assert done.stdout == "False\n"
