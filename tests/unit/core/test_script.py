from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bestchat_server_ext.core import errors
from bestchat_server_ext.core import script as sc
from bestchat_server_ext.core.ids import MessageId, TurnId
from bestchat_server_ext.core.messages import Message, Role, TextPart

AT = datetime(2026, 1, 1, tzinfo=UTC)


def said(role: Role, text: str, number: int = 0) -> Message:
    return Message(MessageId(f"{role}{number}"), None, role, (TextPart(text),), AT, TurnId("t"))


def parse(script: Any) -> sc.Script:
    return sc.parse(json.dumps(script).encode(), "test.json")


def turn(*steps: str, when: str = "") -> sc.ScriptTurn:
    return sc.ScriptTurn(tuple((sc.Say(text),) for text in steps), when)


def test_every_action_is_read_by_its_name() -> None:
    script = parse(
        {
            "turns": [
                {
                    "when": "^hi",
                    "steps": [
                        [
                            {"do": "say", "text": "a", "chunk": 3},
                            {"do": "think", "text": "b"},
                            {"do": "echo", "prefix": "You: "},
                            {"do": "count"},
                            {"do": "call", "name": "f", "arguments": {"x": [1]}},
                            {"do": "call", "name": "g", "arguments": "{broken"},
                            {"do": "wait", "seconds": 0.5},
                            {"do": "usage", "input": 1, "output": 2},
                            {"do": "fail", "code": "rate_limited", "text": "no", "retry_after": 2},
                        ]
                    ],
                }
            ],
            "chunk": 5,
        }
    )
    assert script.chunk == 5
    assert script.turns[0].when == "^hi"
    assert script.turns[0].steps[0] == (
        sc.Say("a", 3),
        sc.Think("b"),
        sc.Echo("You: "),
        sc.Count(),
        sc.Call("f", {"x": [1]}),
        sc.Call("g", "{broken"),
        sc.Wait(0.5),
        sc.Report(1, 2),
        sc.Fail("rate_limited", "no", 2),
    )


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ({}, "turns"),
        ({"turns": []}, "turns"),
        ({"turns": [{"steps": []}]}, r"\$.turns\[0\].steps"),
        ({"turns": [{"steps": [[{"do": "sing"}]]}]}, "sing"),
        ({"turns": [{"steps": [[{"text": "no do"}]]}]}, "do"),
        ({"turns": [{"steps": [[{"do": "say", "txt": "x"}]]}]}, "txt"),
        ({"turns": [{"steps": [[{"do": "say", "text": "x", "chunk": 0}]]}]}, "chunk"),
        ({"turns": [{"steps": [[{"do": "wait", "seconds": -1}]]}]}, "seconds"),
        ({"turns": [{"steps": [[]], "when": "("}]}, r"\$.turns\[0\].when"),
        ({"turns": [{"steps": [[{"do": "fail", "code": "oops"}]]}]}, "'oops'.*turns.0..steps.0"),
        ({"turns": [{"steps": [[]]}], "speed": 1}, "speed"),
    ],
)
def test_a_bad_script_is_named_with_its_fault(script: Any, says: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=says) as caught:
        parse(script)
    assert "test.json" in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]"])
def test_what_is_no_json_object_is_no_script(text: bytes) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"test\.json"):
        sc.parse(text, "test.json")


def test_the_first_turn_that_fits_answers() -> None:
    script = sc.Script((turn("rain", when="(?i)weather"), turn("other")))
    assert sc.choose(script, [said("user", "The WEATHER?")]) == (sc.Say("rain"),)
    assert sc.choose(script, [said("user", "What else?")]) == (sc.Say("other"),)


def test_only_the_last_user_message_is_looked_at() -> None:
    script = sc.Script((turn("first", when="one"), turn("second", when="two")))
    before = [said("user", "one"), said("assistant", "two"), said("user", "two", 1)]
    assert sc.choose(script, before) == (sc.Say("second"),)


def test_the_step_follows_from_the_tool_messages_behind_the_user_message() -> None:
    script = sc.Script((turn("a", "b", "c"),))
    earlier = [said("user", "x"), said("tool", "r", 1), said("tool", "r", 2)]
    messages = [*earlier, said("user", "y", 1)]
    seen = []
    for number in range(5):
        seen.append(sc.choose(script, messages))
        messages += [said("assistant", "calls", number), said("tool", "result", 10 + number)]
    assert seen == [(sc.Say(text),) for text in "abccc"]


def test_no_fitting_turn_is_an_error_that_says_what_to_add() -> None:
    with pytest.raises(errors.InvalidRequest, match='without "when"'):
        sc.choose(sc.Script((turn("a", when="never"),)), [said("user", "hello")])


def test_a_request_without_user_message_is_answered_by_what_answers_all() -> None:
    assert sc.choose(sc.Script((turn("a", when="x"), turn("b"))), []) == (sc.Say("b"),)
    assert sc.last_user([]) is None


def test_failures_carry_code_text_and_wait() -> None:
    error = sc.failure(sc.Fail("rate_limited", "Not now.", 3.0))
    assert isinstance(error, errors.RateLimited)
    assert (error.info.text, error.info.retry_after) == ("Not now.", 3.0)
    assert isinstance(sc.failure(sc.Fail("internal")), errors.InternalError)
    with pytest.raises(ValueError, match="'nope'"):
        sc.failure(sc.Fail("nope"))


def test_arguments_are_encoded_unless_they_are_text() -> None:
    assert sc.called({"a": 1}) == '{"a":1}'
    assert sc.called("{broken") == "{broken"


def test_pieces_join_to_the_text() -> None:
    assert sc.pieces("abcde", 2) == ("ab", "cd", "e")
    assert sc.pieces("", 2) == ()
