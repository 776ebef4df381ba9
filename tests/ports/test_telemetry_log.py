from __future__ import annotations

import logging

import pytest

from bestchat_server_ext.adapters.telemetry_log import LOGGER, TelemetryLog
from bestchat_server_ext.core.models import Usage
from bestchat_server_ext.testing.port_suites.telemetry import Held, Story, TelemetrySuite, tell


class TestTelemetryLog(TelemetrySuite):
    @pytest.fixture
    def telemetry(self, caplog: pytest.LogCaptureFixture) -> TelemetryLog:
        caplog.set_level(logging.DEBUG, LOGGER)
        return TelemetryLog()

    @pytest.fixture
    def held(self, telemetry: TelemetryLog) -> Held:
        return lambda: len(vars(telemetry))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_turn_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    tell(TelemetryLog(), Story().whole())
    (line,) = lines(caplog)
    assert line == (
        "turn ended state=finished model=scripted/echo steps=1 seconds=2.5 first_delta_ms=250 "
        "input_tokens=3 output_tokens=5 tools=1 conversation=conversation turn=turn"
    )
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("INFO", "bestchat_server_ext.turns")
    assert record.bestchat == {  # type: ignore[attr-defined]
        "state": "finished",
        "model": "scripted/echo",
        "steps": 1,
        "seconds": 2.5,
        "first_delta_ms": 250,
        "input_tokens": 3,
        "output_tokens": 5,
        "tools": 1,
        "conversation": "conversation",
        "turn": "turn",
    }


def test_a_failure_names_its_code(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    tell(TelemetryLog(), [Story().failed])
    assert lines(caplog)[0].startswith("turn ended state=failed error=rate_limited model=")
    assert " first_delta_ms=- " in lines(caplog)[0]


def test_more_is_said_at_level_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    story = Story()
    tell(TelemetryLog(), [story.step_ended, story.step_failed, story.tool_failed, story.left])
    done, failed, tool, left = lines(caplog)
    assert done == (
        "step ended step=1 provider=scripted finish_reason=tool_calls seconds=1.5 "
        "input_tokens=3 output_tokens=5 turn=turn"
    )
    assert failed == (
        "step ended step=1 error=rate_limited provider=scripted finish_reason=- seconds=1.5 "
        "input_tokens=0 output_tokens=0 turn=turn"
    )
    assert tool == (
        "tool ended tool=add error=tool_failed seconds=0.5 execution=turn-tool turn=turn"
    )
    assert left == "turn left conversation=conversation turn=turn"
    assert {record.levelname for record in caplog.records} == {"DEBUG"}


@pytest.mark.parametrize(
    ("model", "written"),
    [
        ("a/b", "a/b"),
        ("", '""'),
        ("a/b state=done", '"a/b state=done"'),
        ('a/"b"', r'"a/\"b\""'),
        ("a/b\n[I] turn ended", r'"a/b\n[I] turn ended"'),
        ("a/\x1b[2J", r'"a/\u001b[2J"'),
        ("a/\u2028\u202eb", r'"a/\u2028\u202eb"'),
        ("a/" + "x" * 500, "a/" + "x" * 118),
    ],
)
def test_a_models_name_forges_no_line(
    caplog: pytest.LogCaptureFixture, model: str, written: str
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    tell(TelemetryLog(), [Story(model=model, usage=Usage()).ended])
    (line,) = lines(caplog)
    assert f" model={written} steps=1 " in line
    assert line.isascii()
    assert line.isprintable()
