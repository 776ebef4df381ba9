"""The site's policy: which models, which addresses."""

from __future__ import annotations

import pytest

from bestchat_server_ext.core.errors import NotPermitted
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.site import SitePolicy


def test_without_rules_everything_is_permitted() -> None:
    site = SitePolicy()
    site.require_model(ModelRef("openai", "gpt-x"))
    site.require_url("http://anywhere.example:1/x")


@pytest.mark.parametrize(
    ("ref", "permitted"),
    [
        ("openai/gpt-5-mini", True),
        ("openai/gpt-5", False),
        ("openai/GPT-5-MINI", False),
        ("local/anything/at:all", True),
        ("localhost/anything", False),
    ],
)
def test_models_are_matched_as_a_whole(ref: str, *, permitted: bool) -> None:
    site = SitePolicy(allowed_models=("openai/gpt-5-mini", "local/*"))
    assert site.permits_model(ModelRef.parse(ref)) is permitted
    if not permitted:
        with pytest.raises(NotPermitted, match=r"openai/gpt-5-mini, local/\*") as caught:
            site.require_model(ModelRef.parse(ref))
        assert caught.value.info.field == "model"


BASE = "https://llm.example/v1/"


@pytest.mark.parametrize(
    "url",
    [
        "https://llm.example/v1",
        "https://llm.example/v1/",
        "https://LLM.example:443/v1/openai",
    ],
)
def test_addresses_below_a_permitted_one_are_permitted(url: str) -> None:
    SitePolicy(allowed_base_urls=("http://other.example", BASE)).require_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://llm.example/v1",
        "https://llm.example/v10",
        "https://llm.example/",
        "https://llm.example:8443/v1",
        "https://llm.example.evil.example/v1",
        "https://llm.example@evil.example/v1",
        "https://llm.example/v1/../admin",
        "https://llm.example/v1/%2e%2e/admin",
        "https://llm.example/v1%2Fadmin",
        "https://llm.example:port/v1",
        "",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(NotPermitted, match="does not permit") as caught:
        SitePolicy(allowed_base_urls=(BASE,)).require_url(url)
    assert "allowed_base_urls" in caught.value.info.hint
