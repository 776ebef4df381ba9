"""What is told of turns while they run: the whole sequence, and never what anybody said."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from bestchat_server_ext.adapters.bus_memory import MemoryBus
from bestchat_server_ext.adapters.traces_otel import OpenTelemetryTraces
from bestchat_server_ext.bootstrap import Application
from bestchat_server_ext.bootstrap.observers import observers
from bestchat_server_ext.client.base import Client
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.errors import ChatError
from bestchat_server_ext.core.ids import ConversationId, MessageId, TurnId
from bestchat_server_ext.core.models import Chunk, TextChunk, Usage
from bestchat_server_ext.core.tools import ToolExecution, ToolResult, ToolSpec
from bestchat_server_ext.ports import telemetry as tm
from bestchat_server_ext.ports.bus import Frame
from bestchat_server_ext.services.draft import Draft
from bestchat_server_ext.services.telemetry import FanOut
from bestchat_server_ext.testing.clock import ManualClock
from bestchat_server_ext.testing.script import Call, Fail, Report, Say, Think, Wait

Write = Callable[..., str]
Open = Callable[..., Awaitable[Application]]
Begin = Callable[[Client], Awaitable[Any]]
Idle = Callable[[Application], Awaitable[None]]

FOREVER = Wait(3600)


class Recorder:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.facts: list[Any] = []
        self.closed = False

    def notice(self, fact: tm.Fact) -> None:
        self.facts.append(fact)

    async def close(self) -> None:
        self.closed = True

    @property
    def kinds(self) -> list[str]:
        return [type(fact).__name__ for fact in self.facts]

    def only(self, kind: type) -> Any:
        (fact,) = [fact for fact in self.facts if isinstance(fact, kind)]
        return fact


class Broken:
    """Fails whatever it is told."""

    def notice(self, fact: tm.Fact) -> None:
        raise ValueError(f"canary {fact}")

    async def close(self) -> None:
        raise ValueError("canary")


def observe(application: Application, *observers: tm.Telemetry) -> None:
    application.telemetry = FanOut(observers)
    application._services.turns._wheel.telemetry = application.telemetry


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def watched(open_here: Open, recorder: Recorder) -> Application:
    application = await open_here(add, burst)
    observe(application, recorder)
    return application


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def burst(text: str) -> str:
    """Fail, and quote what was given."""
    raise ValueError(text)


class TestWhatIsTold:
    async def test_a_turn_of_one_answer(
        self, watched: Application, recorder: Recorder, begin: Begin, idle: Idle, script: Write
    ) -> None:
        talk = await begin(InProcessClient(watched))
        model = script("plain", (Say("Hello you.", 3), Report(input=7, output=2)))
        ticket = await talk.ask(model)
        await talk.until(ev.TurnFinished)
        await idle(watched)
        assert recorder.kinds == ["TurnBegan", "StepBegan", "FirstDelta", "StepEnded", "TurnEnded"]
        step, end = recorder.only(tm.StepEnded), recorder.only(tm.TurnEnded)
        assert (step.provider, step.step, step.error) == ("scripted", 1, "")
        assert (step.usage, step.finish_reason) == (Usage(7, 2), "stop")
        assert (end.turn_id, end.conversation_id) == (ticket.turn_id, talk.id)
        assert (end.state, end.model, end.provider) == ("finished", "scripted/plain", "scripted")
        assert (end.steps, end.tools, end.usage, end.error) == (1, 0, Usage(7, 2), "")
        first = recorder.only(tm.FirstDelta).seconds
        assert 0 < first == end.first_delta_seconds <= step.seconds
        assert end.seconds > 0

    async def test_a_turn_that_waits_is_left_and_begins_again(
        self, watched: Application, recorder: Recorder, begin: Begin, idle: Idle, script: Write
    ) -> None:
        talk = await begin(InProcessClient(watched))
        call = Call("add", {"a": 1, "b": 2})
        model = script("tool", (call, Report(3, 4)), (Say("Three."), Report(5, 6)))
        await talk.ask(model)
        await talk.until(ev.TurnWaiting)
        await idle(watched)
        assert recorder.kinds == ["TurnBegan", "StepBegan", "StepEnded", "TurnLeft"]
        assert recorder.only(tm.StepEnded).finish_reason == "tool_calls"
        recorder.facts.clear()
        (pending,) = await talk.pending()
        await talk.answer(pending, "approve")
        await talk.until(ev.TurnFinished)
        await idle(watched)
        assert recorder.kinds == [
            *("TurnBegan", "ToolBegan", "ToolEnded"),
            *("StepBegan", "FirstDelta", "StepEnded", "TurnEnded"),
        ]
        tool, end = recorder.only(tm.ToolEnded), recorder.only(tm.TurnEnded)
        assert (tool.tool, tool.execution_id, tool.error) == ("add", pending.id, "")
        assert (end.steps, end.tools, end.usage) == (2, 1, Usage(8, 10))

    async def test_a_tool_that_fails(
        self, watched: Application, recorder: Recorder, begin: Begin, idle: Idle, script: Write
    ) -> None:
        talk = await begin(InProcessClient(watched))
        await talk.ask(script("fails", (Call("burst", {"text": "x"}),), (Say("Pity."),)))
        await talk.until(ev.TurnWaiting)
        (pending,) = await talk.pending()
        await talk.answer(pending, "approve")
        await talk.until(ev.TurnFinished)
        await idle(watched)
        assert recorder.only(tm.ToolEnded).error == "tool_failed"

    async def test_a_provider_that_fails(
        self, watched: Application, recorder: Recorder, begin: Begin, idle: Idle, script: Write
    ) -> None:
        talk = await begin(InProcessClient(watched))
        await talk.ask(script("fails", (Say("Well "), Fail("rate_limited", retry_after=61))))
        await talk.until(ev.TurnFailed)
        await idle(watched)
        assert recorder.kinds == ["TurnBegan", "StepBegan", "FirstDelta", "StepEnded", "TurnEnded"]
        assert recorder.only(tm.StepEnded).error == "rate_limited"
        end = recorder.only(tm.TurnEnded)
        assert (end.state, end.error) == ("failed", "rate_limited")

    async def test_stop(
        self, watched: Application, recorder: Recorder, begin: Begin, idle: Idle, script: Write
    ) -> None:
        talk = await begin(InProcessClient(watched))
        ticket = await talk.ask(script("slow", (Say("Well "), FOREVER)))
        await talk.until_text("Well ")
        await talk.cancel(ticket.turn_id)
        await talk.until(ev.TurnCancelled)
        await idle(watched)
        assert recorder.kinds == ["TurnBegan", "StepBegan", "FirstDelta", "StepEnded", "TurnEnded"]
        assert recorder.only(tm.StepEnded).error == "cancelled"
        assert recorder.only(tm.TurnEnded).state == "cancelled"

    async def test_closing_interrupts_what_runs(
        self, watched: Application, recorder: Recorder, begin: Begin, script: Write
    ) -> None:
        talk = await begin(InProcessClient(watched))
        await talk.ask(script("slow", (Say("Well "), FOREVER)))
        await talk.until_text("Well ")
        await watched.close()
        assert recorder.only(tm.TurnEnded).state == "interrupted"
        assert recorder.closed

    async def test_a_provider_that_is_not_ours_is_unknown(self, watched: Application) -> None:
        names = watched._services.providers
        assert names.known_name("scripted/whatever") == "scripted"
        assert names.known_name("canary/whatever") == names.known_name("canary") == "unknown"


async def test_only_the_first_piece_is_told() -> None:
    """Whatever is done for each piece is done a thousand times a second."""
    clock, told = ManualClock(), []

    async def chunks() -> AsyncGenerator[Sequence[Chunk], None]:
        yield [TextChunk("One ")]
        assert told == ["first"]  # it goes out at once
        yield [TextChunk("two.")]

    draft = Draft(TurnId("turn"), 1, MessageId("message"), ConversationId("conversation"))
    reply = await draft.fill(chunks(), MemoryBus(), clock, lambda: told.append("first"))
    assert [part.text for part in reply.parts] == ["One two."]
    assert told == ["first"]


async def test_a_server_counts_what_waits_for_its_readers() -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("bestchat_queue_length", {"queue": "bus"}) or 0.0

    before, bus, clock = counted(), MemoryBus(), ManualClock()
    names = ConversationId("topic"), TurnId("turn"), MessageId("message")
    readers = [await bus.subscribe("topic") for _ in range(2)]
    await bus.publish("topic", [Frame(ev.Delta(*names, 0, "text", n, n, "Hm")) for n in (1, 2)])
    await readers[0].get()
    told = await observers({}, clock, bus, serves=True)
    await clock.until_sleeping()
    assert counted() == before + 2
    await told.close()
    assert counted() == before


async def test_spans_of_a_real_turn_hang_below_each_other(
    open_here: Open, begin: Begin, idle: Idle, script: Write
) -> None:
    """Tasks of a turn are where their spans are current: a tool's own span finds its parent."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tool")

    def look(where: str) -> str:
        """Look somewhere."""
        with tracer.start_as_current_span("own"):
            return where

    application = await open_here(look)
    observe(application, OpenTelemetryTraces(provider))
    talk = await begin(InProcessClient(application))
    model = script("looks", (Call("look", {"where": "canary"}),), (Say("canary"),))
    await talk.ask(model, "canary")
    await talk.until(ev.TurnWaiting)
    await idle(application)
    (pending,) = await talk.pending()
    await talk.answer(pending, "approve")
    await talk.until(ev.TurnFinished)
    await idle(application)
    spans = exporter.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans}
    tree = [(span.name, names.get(span.parent.span_id) if span.parent else None) for span in spans]
    turn = "invoke_agent bestchat"
    assert tree == [
        *(("chat looks", turn), (turn, None)),
        *(("own", "execute_tool look"), ("execute_tool look", turn)),
        *(("chat looks", turn), (turn, None)),
    ]
    assert "canary" not in "".join(span.to_json() for span in spans)
    provider.shutdown()


async def test_who_fails_harms_nobody_and_is_named_once(
    open_here: Open,
    recorder: Recorder,
    begin: Begin,
    idle: Idle,
    caplog: pytest.LogCaptureFixture,
) -> None:
    application = await open_here()
    observe(application, Broken(), recorder)
    talk = await begin(InProcessClient(application))
    for text in ("one", "two"):
        await talk.ask("scripted/echo", text)
        await talk.until(ev.TurnFinished, count=1 if text == "one" else 2)
        await idle(application)
    assert recorder.kinds.count("TurnEnded") == 2
    await application.close()
    assert recorder.closed
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "Broken failed" in record.getMessage()
    assert "canary" not in caplog.text


class LeakyHost:
    """A plugin that quotes its arguments in an exception."""

    def tools(self) -> list[ToolSpec]:
        return [ToolSpec("leak", "", {"type": "object"}, effect="execute")]

    async def run(self, execution: ToolExecution) -> ToolResult:
        raise RuntimeError(execution.effective.arguments)


def written(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that a log could show of the records, attributes and traces included."""
    formatter = logging.Formatter("%(message)s")
    return "\n".join(f"{formatter.format(item)} {vars(item)}" for item in caplog.records)


class TestWhatIsNeverLogged:
    """`canary` is in everything that anybody says."""

    @pytest.fixture(autouse=True)
    def everything(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)

    @pytest.fixture
    async def application(self, open_here: Open, environ: dict[str, str]) -> Application:
        environ["OPENAI_API_KEY"] = "sk-canary"
        environ["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"  # where nobody listens
        opened = await open_here(add, burst)
        opened._services.turns._wheel.tools._hosts += (LeakyHost(),)  # type: ignore[operator]
        return opened

    async def test_a_turn_with_tools(
        self,
        application: Application,
        begin: Begin,
        idle: Idle,
        script: Write,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        talk = await begin(InProcessClient(application))
        said = {"text": "canary"}
        model = script(
            "many",
            (Think("canary"), Say("canary"), Call("burst", said), Call("leak", said)),
            (Call("add", "{canary"), Call("canary", said), Call("add", {"a": "canary"})),
            (Say("canary"), Fail("provider_error", "canary")),
        )
        await talk.ask(model, "canary", request_id="canary")
        for asked in (2, 3):
            await talk.until(ev.ApprovalRequested, count=asked)
            for execution in await talk.pending():
                with pytest.raises(ChatError):
                    await talk.answer(execution, "approve", arguments="{canary")
                await talk.answer(execution, "approve", reason="canary")
        await talk.until(ev.TurnFailed)
        await idle(application)
        lines = [record.getMessage() for record in caplog.records]
        assert sum(line.startswith("turn ended state=failed") for line in lines) == 1
        assert any("RuntimeError at " in line for line in lines)
        assert "canary" not in written(caplog)

    async def test_failures_of_all_kinds(
        self,
        application: Application,
        begin: Begin,
        idle: Idle,
        script: Write,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        talk = await begin(InProcessClient(application))
        await talk.ask("openai/gpt", "canary one")
        await talk.until(ev.TurnFailed)
        await talk.ask(script("silent", (Think("canary"),)), "canary two")
        await talk.until(ev.TurnFailed, count=2)
        for model in ("canary", "canary/canary", "\x00canary/\n"):
            with pytest.raises(ChatError):
                await talk.ask(model, "canary three")

        def project(*args: Any) -> Any:
            raise KeyError(args[0].messages.popitem()[1].text)

        monkeypatch.setattr(application._services.turns._wheel.context, "project", project)
        await talk.ask("scripted/echo", "canary four")
        await talk.until(ev.TurnFailed, count=3)
        await idle(application)
        lines = [record.getMessage() for record in caplog.records]
        assert sum(line.startswith("turn ended") for line in lines) == 3
        assert any("KeyError at " in line for line in lines)
        assert "canary" not in written(caplog)


ONE_TURN = """
import asyncio, os, sys, threading

OUTSIDE = []
STARTED = []
sys.addaudithook(lambda event, given: OUTSIDE.append(event) if event == "socket.connect" else None)
start = threading.Thread.start
threading.Thread.start = lambda self: (STARTED.append(self.name.split("_")[0]), start(self))

from bestchat_server_ext.api import conversations, turns
from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.client.inprocess import InProcessClient
from bestchat_server_ext.core import events as ev

async def main():
    application = await open_application(os.environ, serves=SERVES)
    client = InProcessClient(application)
    made = await client.call(conversations.create, conversations.CreateConversation())
    await client.call(turns.start, turns.StartTurn(
            conversation_id=made.id, request_id="request", text="Hello."
        ))
    async for frame in client.follow(made.id, 0):
        if isinstance(getattr(frame, "event", None), ev.TurnFinished):
            break
    await client.close()
    heavy = [name for name in ("opentelemetry", "prometheus_client") if name in sys.modules]
    print(OUTSIDE, sorted(set(STARTED)), heavy)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("serves", "variables", "heavy"),
    [
        (False, {}, []),
        (True, {}, ["prometheus_client"]),
        (False, {"OTEL_SERVICE_NAME": "mine"}, ["opentelemetry"]),
    ],
    ids=["kernel", "server", "kernel with OpenTelemetry"],
)
def test_nothing_leaves_and_no_thread_is_started(
    environ: dict[str, str],
    tmp_path: Path,
    serves: bool,  # noqa: FBT001  a parameter of the test
    variables: dict[str, str],
    heavy: list[str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ONE_TURN.replace("SERVES", str(serves))],
        env=environ | variables | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    threads = ["asyncio", "bestchat-reader", "bestchat-writer"]  # loading; the database's own
    assert done.stdout.strip() == f"[] {threads} {heavy}"


NOBODY_ASKED = """
import logging
import bestchat_kernel, bestchat_server_ext
for name in ("bestchat_kernel.loop", "bestchat_server_ext.turns"):
    logging.getLogger(name).error("nobody asked")
"""


@pytest.mark.parametrize(
    ("configured", "shown"), [("", 0), ("logging.basicConfig()", 2)], ids=["quiet", "asked for"]
)
def test_nothing_is_printed_that_nobody_asked_for(configured: str, shown: int) -> None:
    """A kernel shows what is written to standard error in the cell."""
    done = subprocess.run(
        [sys.executable, "-c", f"{NOBODY_ASKED.replace('for', configured + chr(10) + 'for', 1)}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count("nobody asked") == shown
