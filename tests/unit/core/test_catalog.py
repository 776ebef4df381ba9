"""What is known of a provider, and what follows from it."""

from __future__ import annotations

import pytest

from bestchat_server_ext.core.catalog import ProviderFacts, Variable, merged
from bestchat_server_ext.core.models import ModelFacts, Prices

HOSTED = ProviderFacts(
    "a", "A", "openai", base_url="https://a.example/v1", key_name="A_KEY", url_name="A_URL"
)
PLACED = ProviderFacts(
    "b",
    "B",
    "openai",
    base_url="{B_HOST}/v1",
    key_name="B_KEY",
    url_name="B_URL",
    other_names=(Variable("B_HOST", needed=True), Variable("B_TOKEN", secret=True)),
)
OWN = ProviderFacts("c", "C", "openai", key_name="C_KEY", url_name="C_URL", needs_key=False)
HERE = ProviderFacts("d", "D", "local", needs_key=False)


@pytest.mark.parametrize(
    ("facts", "set_to", "url"),
    [
        (HOSTED, {}, "https://a.example/v1"),
        (HOSTED, {"A_URL": "http://gateway.example"}, "http://gateway.example"),
        (HOSTED, {"A_URL": ""}, "https://a.example/v1"),
        (PLACED, {}, None),
        (PLACED, {"B_HOST": "https://b.example/"}, "https://b.example/v1"),
        (PLACED, {"B_HOST": "b.example"}, "https://b.example/v1"),
        (PLACED, {"B_HOST": "http://b.example"}, "http://b.example/v1"),
        (PLACED, {"B_HOST": "https://{A_KEY}", "A_KEY": "secret"}, "https://{A_KEY}/v1"),
        (PLACED, {"B_URL": "http://gateway.example"}, "http://gateway.example"),
        (OWN, {}, None),
        (HERE, {}, None),
    ],
)
def test_where_requests_go(facts: ProviderFacts, set_to: dict[str, str], url: str | None) -> None:
    assert facts.url(set_to.get) == url


@pytest.mark.parametrize(
    ("facts", "set_to", "missing"),
    [
        (HOSTED, {}, ("A_KEY",)),
        (HOSTED, {"A_KEY": "x"}, ()),
        (HOSTED, {"A_URL": "x"}, ()),
        (PLACED, {}, ("B_KEY", "B_HOST")),
        (PLACED, {"B_KEY": "x"}, ("B_HOST",)),
        (PLACED, {"B_URL": "x"}, ()),
        (OWN, {}, ("C_URL",)),
        (OWN, {"C_KEY": "x"}, ("C_URL",)),
        (OWN, {"C_URL": "x"}, ()),
        (HERE, {}, ()),
    ],
)
def test_what_is_missing(
    facts: ProviderFacts, set_to: dict[str, str], missing: tuple[str, ...]
) -> None:
    assert facts.missing(set_to.get) == missing


def test_what_it_reads_and_what_of_it_is_secret() -> None:
    assert PLACED.variables == ("B_KEY", "B_URL", "B_HOST", "B_TOKEN")
    assert PLACED.secret_names == ("B_KEY", "B_TOKEN")
    assert HERE.variables == HERE.secret_names == ()


def test_who_asks_no_other_machine() -> None:
    assert HERE.at_home
    assert not HOSTED.at_home


class TestMerged:
    KNOWN = ModelFacts("a/x", window=100, tools=True, prices=Prices("1"), prefill=False)

    def test_the_server_knows_its_window(self) -> None:
        told = ModelFacts("a/x", window=50, tools=False, images=True, label="7B")
        assert merged(self.KNOWN, told) == ModelFacts(
            "a/x",
            label="7B",
            window=50,
            tools=True,
            images=True,
            prices=Prices("1"),
            prefill=False,
        )

    def test_the_catalogue_fills_what_the_server_does_not_tell(self) -> None:
        assert merged(self.KNOWN, ModelFacts("a/x", known=False)) == self.KNOWN

    def test_what_nobody_knows_stays_unknown(self) -> None:
        nothing = ModelFacts("a/x", known=False, prefill=False)
        assert merged(nothing, ModelFacts("a/x", known=False)) == nothing

    def test_what_only_the_server_knows_is_known(self) -> None:
        told = ModelFacts("a/x", window=50)
        assert merged(ModelFacts("a/x", known=False), told) == told
