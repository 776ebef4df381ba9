"""A provider that answers from scripts, so that tests and lessons need no model.

`scripted/<name>` answers from the file `<name>.json` of one folder, which is read again for every
request. The format is described in `core.script`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import assert_never

from bestchat_server_ext.core import script as sc
from bestchat_server_ext.core.errors import ModelNotFound, Unavailable
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.messages import Message, ToolCallPart, ToolResultPart
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    Usage,
    UsageChunk,
)
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.clock import Clock

_NAME = re.compile(r"[A-Za-z0-9._-]+")


class ScriptedProvider:
    """Answers from the scripts in one folder."""

    def __init__(self, scripts_dir: Path, clock: Clock, name: str = "scripted") -> None:
        """Read scripts from a folder.

        Args:
            scripts_dir: the folder; it need not exist yet.
            clock: what `wait` waits on.
            name: the first half of its model references.
        """
        self._scripts_dir = scripts_dir
        self._clock = clock
        self._name = name

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Play the step of the script that answers the request.

        Raises:
            ModelNotFound: there is no such script.
            InvalidRequest: it cannot be used, or answers no such message.
            ChatError: what the script says.
        """
        script = await asyncio.to_thread(self._read, request.model.model)
        step = sc.choose(script, request.messages)
        said: list[str] = []
        usage: Usage | None = None
        calls = 0
        for action in step:
            match action:
                case sc.Wait(seconds):
                    await self._clock.sleep(seconds)
                case sc.Fail():
                    raise sc.failure(action)
                case sc.Report(read, written):
                    usage = Usage(read, written)
                case sc.Call(name, arguments):
                    text = sc.called(arguments)
                    said += [name, text]
                    yield (ToolCallChunk(calls, f"call_{calls}", name),)
                    for piece in sc.pieces(text, script.chunk):
                        yield (ToolCallChunk(calls, arguments=piece),)
                    calls += 1
                case sc.Say() | sc.Think() | sc.Echo() | sc.Count():
                    for chunk in _spoken(action, request.messages, script.chunk):
                        said.append(chunk.text)
                        yield (chunk,)
                case _:
                    assert_never(action)
        ending = usage or Usage(_words_in(request), _words("".join(said)))
        yield (FinishChunk("tool_calls" if calls else "stop"), UsageChunk(ending))

    def _read(self, model: str) -> sc.Script:
        path = self._scripts_dir / f"{model}.json"
        if not _NAME.fullmatch(model) or not path.is_file():
            raise ModelNotFound(
                f"There is no script named {model!r}.",
                hint=f"Put it into {self._scripts_dir} as NAME.json.",
                field="model",
            )
        try:
            text = path.read_bytes()
        except OSError as error:
            raise Unavailable(
                f"The script {path.name} cannot be read: {error.strerror}.",
                hint="Check its mode, and the option `scripts_dir`.",
            ) from error
        return sc.parse(text, path.name)

    async def models(self, owner: OwnerId | None = None) -> Sequence[ModelFacts]:  # noqa: ARG002  all see the same
        """One model for each script in the folder."""
        found = await asyncio.to_thread(lambda: sorted(self._scripts_dir.glob("*.json")))
        return tuple(self.facts(path.stem) for path in found if _NAME.fullmatch(path.stem))

    def facts(self, model: str) -> ModelFacts:
        """What every script is like."""
        return ModelFacts(f"{self._name}/{model}", label="script", tools=True)

    async def close(self) -> None:
        """Nothing is held."""


def _spoken(
    action: sc.Say | sc.Think | sc.Echo | sc.Count, messages: Sequence[Message], size: int
) -> Iterator[TextChunk | ReasoningChunk]:
    match action:
        case sc.Say(text, own):
            yield from map(TextChunk, sc.pieces(text, own or size))
        case sc.Think(text, own):
            yield from map(ReasoningChunk, sc.pieces(text, own or size))
        case sc.Echo(prefix):
            asked = sc.last_user(messages)
            yield from map(TextChunk, sc.pieces(prefix + (asked.text if asked else ""), size))
        case sc.Count(prefix):
            yield from map(TextChunk, sc.pieces(f"{prefix}{len(messages)}", size))
        case _:
            assert_never(action)


def _words(text: str) -> int:
    return len(text.split())


def _words_in(request: ModelRequest) -> int:
    counted = _words(request.system)
    for message in request.messages:
        counted += _words(message.text)
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                counted += _words(part.result.content)
            elif isinstance(part, ToolCallPart):
                counted += _words(part.call.arguments) + 1
    return counted
