from __future__ import annotations

from dataclasses import dataclass

import pytest

from bestchat_server_ext.core.errors import ProviderError
from bestchat_server_ext.core.models import ModelFacts, ModelRef
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.wire import jsonlines
from bestchat_server_ext.core.wire.anthropic import AnthropicLane
from bestchat_server_ext.core.wire.decoding import count
from bestchat_server_ext.core.wire.jsonlines import JSONLinesDecoder
from bestchat_server_ext.core.wire.lane import KeyStyle, Lane, key_headers
from bestchat_server_ext.core.wire.ollama import OllamaLane
from bestchat_server_ext.core.wire.openai import OpenAILane


@dataclass
class Case:
    lane: Lane
    chat: str
    listing: str
    accept: str


CASES = [
    Case(OpenAILane(), "/chat/completions", "/models", "text/event-stream"),
    Case(AnthropicLane(), "/v1/messages", "/v1/models?limit=1000", "text/event-stream"),
    Case(OllamaLane(), "/api/chat", "/api/tags", "application/x-ndjson"),
]
each_lane = pytest.mark.parametrize("case", CASES, ids=["openai", "anthropic", "ollama"])


@each_lane
def test_where_requests_go(case: Case) -> None:
    assert (case.lane.chat_path, case.lane.list_path) == (case.chat, case.listing)
    assert case.lane.accept == case.accept


@each_lane
def test_no_key_is_no_header(case: Case) -> None:
    assert not {"Authorization", "x-api-key", "api-key"} & {*case.lane.headers(None)}
    assert not {"Authorization", "x-api-key", "api-key"} & {*case.lane.headers("")}


@each_lane
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'"x"', b"[" * 10**5, b'{"data":5}'])
def test_what_is_no_list_of_models(case: Case, body: bytes) -> None:
    with pytest.raises(ProviderError, match="list of models") as caught:
        case.lane.models("mine", body)
    assert caught.value.info.hint


@each_lane
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'"x"', b"[" * 10**5, b'{"error":5}'])
def test_a_refusal_without_words_names_its_status(case: Case, body: bytes) -> None:
    assert case.lane.error_of(503, body).info.text == "The provider answered with HTTP 503."


@each_lane
def test_requests_never_depend_on_chance(case: Case) -> None:
    request = ModelRequest(ModelRef("mine", "m"), ())
    facts = ModelFacts("mine/m")
    assert case.lane.encode(request, facts) == case.lane.encode(request, facts)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("bearer", {"Authorization": "Bearer k"}),
        ("x-api-key", {"x-api-key": "k"}),
        ("api-key", {"api-key": "k"}),
    ],
)
def test_keys_travel_in_three_ways(style: KeyStyle, expected: dict[str, str]) -> None:
    assert key_headers(style, "k") == expected


@pytest.mark.parametrize(
    ("given", "counted"),
    [(5, 5), (5.0, 5), (0, 0), (None, 0), (-1, 0), (1e300, 0), (10**30, 0), (2**53 - 1, 2**53 - 1)],
)
def test_what_cannot_be_a_number_of_tokens_counts_nothing(
    given: float | None, counted: int
) -> None:
    assert count(given) == counted
    assert isinstance(count(given), int)


# Lines.


def test_lines_are_given_as_soon_as_they_end() -> None:
    decoder = JSONLinesDecoder()
    assert decoder.feed(b"{}\n{") == [b"{}"]
    assert decoder.feed(b"") == []
    assert decoder.feed(b"}\r") == []
    assert decoder.feed(b"\n\n") == [b"{}\r", b""]
    assert decoder.feed(b"rest") == []
    assert decoder.close() == [b"rest"]
    assert decoder.close() == [b""]


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "_LONGEST", 10)
    decoder = JSONLinesDecoder()
    assert decoder.feed(b"x" * 10) == []
    with pytest.raises(ProviderError, match="never ends"):
        decoder.feed(b"x")
