from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.provider_scripted import ScriptedProvider
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.ids import ExecutionId, MessageId, TurnId
from bestchat_server_ext.core.messages import (
    Message,
    Part,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelRef,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.reply import ReplyBuilder
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.core.tools import ToolCall, ToolResult
from bestchat_server_ext.testing.port_suites.provider import (
    ProviderSuite,
    RequestFor,
    user_message,
)
from bestchat_server_ext.testing.script import (
    Action,
    Call,
    Count,
    Echo,
    Fail,
    Report,
    Say,
    Script,
    ScriptTurn,
    Think,
    Wait,
    write,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return AT

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def new_id(self) -> str:
        raise AssertionError("a provider makes no ids")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def provider(tmp_path: Path, clock: FakeClock) -> ScriptedProvider:
    return ScriptedProvider(tmp_path, clock)


def play(folder: Path, *steps: tuple[Action, ...], chunk: int = 12) -> None:
    write(Script((ScriptTurn(steps),), chunk), folder / "test.json")


def asking(text: str = "Hello there", *behind: Message, model: str = "test") -> ModelRequest:
    return ModelRequest(ModelRef("scripted", model), (user_message(text), *behind))


def message(role: Role, *parts: Part) -> Message:
    return Message(MessageId("m"), None, role, parts, AT, TurnId("t"))


async def heard(provider: ScriptedProvider, request: ModelRequest | None = None) -> list[Chunk]:
    stream = provider.stream(request or asking())
    return [chunk async for together in stream for chunk in together]


class TestConformance(ProviderSuite):
    @pytest.fixture
    def request_for(self, tmp_path: Path) -> RequestFor:
        play(tmp_path, (Say("A longer answer, in pieces."),))
        return asking


async def test_text_comes_in_pieces_and_ends_with_usage(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    play(tmp_path, (Think("hm so"), Say("one two three", chunk=5)), chunk=3)
    assert await heard(provider) == [
        ReasoningChunk("hm "),
        ReasoningChunk("so"),
        TextChunk("one t"),
        TextChunk("wo th"),
        TextChunk("ree"),
        FinishChunk("stop"),
        UsageChunk(Usage(2, 4)),
    ]


async def test_usage_can_be_given(provider: ScriptedProvider, tmp_path: Path) -> None:
    play(tmp_path, (Report(100, 7), Say("x")))
    assert (await heard(provider))[-1] == UsageChunk(Usage(100, 7))


async def test_the_user_is_echoed_and_the_messages_are_counted(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    play(tmp_path, (Echo("You: "), Count(" of ")), chunk=100)
    request = asking("first", message("assistant", TextPart("x")), user_message("second"))
    chunks = await heard(provider, request)
    assert chunks[:2] == [TextChunk("You: second"), TextChunk(" of 3")]


async def test_calls_are_numbered_and_their_results_lead_to_the_next_step(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    calls = (Say("Wait."), Call("look", {"at": "it"}), Call("look", "{broken"))
    play(tmp_path, calls, (Say("Done."),), chunk=4)
    chunks = await heard(provider)
    assert ToolCallChunk(0, "call_0", "look") in chunks
    assert FinishChunk("tool_calls") in chunks
    builder = ReplyBuilder()
    for chunk in chunks:
        builder.add(chunk)
    reply = builder.finish()
    assert reply.calls == (
        ToolCall("call_0", "look", '{"at":"it"}'),
        ToolCall("call_1", "look", "{broken"),
    )
    results = message("tool", ToolResultPart("call_0", "look", ToolResult("seen it")))
    called = message("assistant", ToolCallPart(reply.calls[0], ExecutionId("e")))
    assert await heard(provider, asking("Hello there", called, results)) == [
        TextChunk("Done"),
        TextChunk("."),
        FinishChunk("stop"),
        UsageChunk(Usage(6, 1)),
    ]


async def test_waiting_is_done_on_the_clock(
    provider: ScriptedProvider, tmp_path: Path, clock: FakeClock
) -> None:
    play(tmp_path, (Wait(3600), Say("x"), Wait(0.5)))
    await heard(provider)
    assert clock.slept == [3600, 0.5]


async def test_a_failure_comes_behind_what_was_said(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    play(tmp_path, (Say("half"), Fail("context_overflow", "Too long."), Say("never")))
    stream = provider.stream(asking())
    assert await anext(stream) == (TextChunk("half"),)
    with pytest.raises(errors.ContextOverflow, match=r"Too long\."):
        await anext(stream)


async def test_a_script_is_read_again_for_every_request(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    for text in ("before", "after"):
        play(tmp_path, (Say(text),))
        assert (await heard(provider))[0] == TextChunk(text)


@pytest.mark.parametrize(
    "name", ["missing", "../test", "a/b", "..", "", "test.json", "a\0b", "tést"]
)
async def test_what_is_no_script_is_no_model(tmp_path: Path, clock: FakeClock, name: str) -> None:
    play(tmp_path, (Say("x"),))
    play(tmp_path / "inner", (Say("x"),))
    provider = ScriptedProvider(tmp_path / "inner", clock)
    with pytest.raises(errors.ModelNotFound):
        await heard(provider, asking(model=name))


async def test_a_bad_script_is_an_error_that_names_it(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    (tmp_path / "test.json").write_text(json.dumps({"turns": [{"steps": [[{"do": "dance"}]]}]}))
    with pytest.raises(errors.InvalidRequest, match=r"test\.json .*dance"):
        await heard(provider)


async def test_every_script_is_a_model(provider: ScriptedProvider, tmp_path: Path) -> None:
    assert await provider.models() == ()
    play(tmp_path, (Say("x"),))
    (tmp_path / "not a model.json").touch()
    (tmp_path / "note.txt").touch()
    assert [facts.ref for facts in await provider.models()] == ["scripted/test"]
    missing = ScriptedProvider(tmp_path / "missing", FakeClock())
    assert await missing.models() == ()


def test_a_script_that_cannot_be_used_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match="when"):
        write(Script((ScriptTurn(((Say("x"),),), when="("),)), tmp_path / "bad.json")
    assert list(tmp_path.iterdir()) == []
