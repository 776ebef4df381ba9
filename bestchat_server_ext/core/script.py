"""Scripts: answers that are known beforehand, for tests, demonstrations and lessons.

A script is a JSON file::

    {
      "turns": [
        {
          "when": "weather",
          "steps": [
            [{"do": "call", "name": "get_weather", "arguments": {"city": "Oslo"}}],
            [{"do": "say", "text": "It snows in Oslo."}]
          ]
        },
        {"steps": [[{"do": "echo"}]]}
      ],
      "chunk": 12
    }

It holds no state: what it answers follows from the request alone, so that the same script serves
many conversations at once. The first turn whose `when` is found in the last user message answers
(a turn without `when` answers always); which of its steps it is follows from the number of tool
messages behind that user message. Where a turn has fewer steps, the last one is repeated.

A step is a list of actions, done in order:

=========  ==============================  ====================================================
`do`       with                            does
=========  ==============================  ====================================================
`say`      `text`, `chunk`                 says the text, in pieces of `chunk` characters
`think`    `text`, `chunk`                 the same, as reasoning
`echo`     `prefix`                        says the last user message back
`count`    `prefix`                        says how many messages the request holds
`call`     `name`, `arguments`             calls a tool; `arguments` is an object, or a text
                                           to be sent as it stands (it need not be JSON)
`wait`     `seconds`                       does nothing for so long
`usage`    `input`, `output`               tokens to report; without it, words are counted
`fail`     `code`, `text`, `retry_after`   fails with the error of that code, for example
                                           `rate_limited`; nothing behind it is done
=========  ==============================  ====================================================

Every step ends with usage and a finish reason: `tool_calls` if it called a tool, else `stop`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from bestchat_server_ext.core import errors
from bestchat_server_ext.core.messages import Message
from bestchat_server_ext.core.tools import JsonObject

Size = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Tokens = Annotated[int, msgspec.Meta(ge=0)]


class _Action(
    msgspec.Struct, frozen=True, tag_field="do", tag=str.lower, forbid_unknown_fields=True
):
    """Base of all actions: a misspelt field is an error and not a silent default."""


class Say(_Action, frozen=True):
    """Say a text."""

    text: str
    """What to say."""
    chunk: Size | None = None
    """Characters per piece; the script's own size if none."""


class Think(_Action, frozen=True):
    """Show reasoning."""

    text: str
    """What to think."""
    chunk: Size | None = None
    """Characters per piece; the script's own size if none."""


class Echo(_Action, frozen=True):
    """Say the last user message back."""

    prefix: str = ""
    """What to say before it."""


class Count(_Action, frozen=True):
    """Say how many messages the request holds: what was sent, and not what was stored."""

    prefix: str = ""
    """What to say before the number."""


class Call(_Action, frozen=True):
    """Call a tool."""

    name: str
    """The tool."""
    arguments: JsonObject | str = {}
    """An object; or a text that is sent as it stands, JSON or not."""


class Wait(_Action, frozen=True):
    """Do nothing for a while."""

    seconds: Seconds
    """For how long."""


class Fail(_Action, frozen=True):
    """Fail; what came before it counts."""

    code: str = "provider_error"
    """Code of an error of `core.errors`."""
    text: str = "The script failed on purpose."
    """What the error says."""
    retry_after: Seconds | None = None
    """Seconds after which the error says to try again."""


class Report(_Action, frozen=True, tag="usage"):
    """Report usage in place of counted words."""

    input: Tokens
    """Tokens that went in."""
    output: Tokens
    """Tokens that came out."""


Action = Say | Think | Echo | Count | Call | Wait | Fail | Report


class ScriptTurn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one kind of user message is answered."""

    steps: Annotated[tuple[tuple[Action, ...], ...], msgspec.Meta(min_length=1)]
    """What is done in the first request of a turn, in the second, and so on."""
    when: str = ""
    """Regular expression that is looked for in the last user message; an empty one is in all."""


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole script."""

    turns: Annotated[tuple[ScriptTurn, ...], msgspec.Meta(min_length=1)]
    """The answers, the first that fits before the others."""
    chunk: Size = 12
    """Characters per piece of text."""


_scripts = msgspec.json.Decoder(Script)
"""Made here because scripts are read in threads; two that learn a type together crash."""


def parse(text: bytes, name: str) -> Script:
    """Read a script.

    Args:
        text: its JSON.
        name: what to call it in errors.

    Raises:
        InvalidRequest: it is not a script; the error says where.
    """
    try:
        script = _scripts.decode(text)
        for number, turn in enumerate(script.turns):
            _check(turn, number)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise errors.InvalidRequest(
            f"The script {name} cannot be used: {error}.",
            hint="The format of scripts is described in bestchat_server_ext.core.script.",
            field="model",
        ) from error
    return script


def _check(turn: ScriptTurn, number: int) -> None:
    """What the types cannot say.

    Raises:
        ValueError: it does not hold.
    """
    try:
        re.compile(turn.when)
    except re.error as error:
        raise ValueError(f"{error} - at `$.turns[{number}].when`") from error
    for place, step in enumerate(turn.steps):
        for action in step:
            if isinstance(action, Fail):
                try:
                    failure(action)
                except ValueError as error:
                    raise ValueError(f"{error} - at `$.turns[{number}].steps[{place}]`") from error


def failure(action: Fail) -> errors.ChatError:
    """The error that an action raises.

    Raises:
        ValueError: there is none of that code.
    """
    family: list[type[errors.ChatError]] = errors.ChatError.__subclasses__()
    for member in family:
        if member is errors.InternalError and member.code == action.code:
            return errors.InternalError()
        if member.code == action.code:
            return member(action.text, retry_after=action.retry_after)
        family += member.__subclasses__()  # the walk goes on over what is added here
    raise ValueError(f"there is no error with the code {action.code!r}")


def choose(script: Script, messages: Sequence[Message]) -> Sequence[Action]:
    """The step that answers a request.

    Args:
        script: the script.
        messages: the messages of the request, oldest first.

    Raises:
        InvalidRequest: no turn of the script fits the last user message.
    """
    asked = last_user(messages)
    behind = messages if asked is None else messages[messages.index(asked) + 1 :]
    text = "" if asked is None else asked.text
    for turn in script.turns:
        if re.search(turn.when, text):
            step = sum(message.role == "tool" for message in behind)
            return turn.steps[min(step, len(turn.steps) - 1)]
    raise errors.InvalidRequest(
        "No turn of the script answers this message.",
        hint='Add a turn without "when" at its end to answer everything else.',
        field="model",
    )


def last_user(messages: Sequence[Message]) -> Message | None:
    """The last message of the user, if there is one."""
    return next((message for message in reversed(messages) if message.role == "user"), None)


def called(arguments: JsonObject | str) -> str:
    """A call's arguments as the model writes them."""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()


def pieces(text: str, size: int) -> tuple[str, ...]:
    """A text in pieces of at most `size` characters."""
    return tuple(text[at : at + size] for at in range(0, len(text), size))
