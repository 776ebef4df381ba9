"""Recorded answers in a file that people can read and compare.

One JSON file: each record is the request's content, under a key that is made of it, and what was
answered. Texts are lists of lines, so that a comparison of two versions shows lines.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from bestchat_kernel.visible import one_line
from bestchat_server_ext.core.errors import ErrorInfo, InvalidRequest, Unavailable
from bestchat_server_ext.core.models import RequestOptions, Usage

ABOUT = (
    "Recorded by BestChat. Holds prompts, answers and the heads of data that went along, and no "
    "keys of providers. Look through it before you pass it on."
)

_KEY_LENGTH = 24


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of a request that an answer depends on."""

    text: tuple[str, ...]
    """The message, line by line."""
    after: str = ""
    """Key of the exchange that it follows; empty where it begins a conversation."""
    model: str = ""
    """Model reference of who was asked; empty for the default model."""
    system: str = ""
    """Standing instructions."""
    options: RequestOptions = RequestOptions()
    """How to answer."""
    images: tuple[str, ...] = ()
    """SHA-256 of the pictures that went along; they are not recorded themselves."""

    @property
    def key(self) -> str:
        """What the record is found by: the same in every process, for the same content."""
        encoded = msgspec.json.encode(self, order="sorted")
        return hashlib.sha256(encoded).hexdigest()[:_KEY_LENGTH]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was answered, and what the cell was told beside it."""

    text: tuple[str, ...]
    """The answer, line by line."""
    model: str
    """Model reference of who gave it."""
    label: str = ""
    """What stood beside its name."""
    finish_reason: str = "unknown"
    """Why the model stopped."""
    usage: Usage = Usage()
    """Tokens."""
    notes: tuple[str, ...] = ()
    """What was told before anything of it was shown."""
    later: tuple[str, ...] = ()
    """What was told on the way, below it."""
    conversation_id: str = ""
    """Where it was said."""
    turn_id: str = ""
    """The turn that brought it."""
    failed: ErrorInfo | None = None
    """Why there is no answer: the text is what had arrived."""


class Record(msgspec.Struct, frozen=True):
    """One exchange."""

    key: str
    """The content's key."""
    content: Content
    """What was asked."""
    answer: Answer
    """What was answered."""


class Mention(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something from elsewhere that went along with a question."""

    name: str
    """What was mentioned."""
    text: tuple[str, ...]
    """What it said, line by line."""
    notes: tuple[str, ...] = ()
    """What the cell was told about it."""


class _File(msgspec.Struct, frozen=True, omit_defaults=True):
    about: str
    version: int
    records: tuple[Record, ...]
    mentions: tuple[Mention, ...] = ()


class Recordings:
    """The records of one file, read when they are first asked for."""

    def __init__(self, path: Path) -> None:
        """Keep them in this file, which need not exist yet."""
        self.path = path
        self._records: dict[str, Record] | None = None
        self._mentions: dict[str, Mention] = {}
        self._written = True

    def find(self, content: Content) -> Answer | None:
        """What was answered to that content; none if it was never recorded.

        Raises:
            InvalidRequest: the file is there and is none of ours.
            Unavailable: it cannot be read.
        """
        found = self._read().get(content.key)
        return found.answer if found else None

    def keep(self, content: Content, answer: Answer) -> None:
        """Record an answer, in the place of an earlier one to the same content."""
        self._read()[content.key] = Record(content.key, content, answer)
        self._written = False

    def mention(self, name: str) -> Mention | None:
        """What was mentioned under a name; none if it was never recorded.

        Raises:
            InvalidRequest: the file is there and is none of ours.
            Unavailable: it cannot be read.
        """
        self._read()
        return self._mentions.get(name)

    def keep_mention(self, mention: Mention) -> None:
        """Record what was mentioned, in the place of what was there under its name."""
        self._read()
        self._mentions[mention.name] = mention
        self._written = False

    def write(self) -> None:
        """Write the file, whole or not at all, if there is something new.

        Raises:
            Unavailable: it cannot be written.
        """
        import tempfile  # slow to load, and most runs write nothing

        if self._written:
            return
        records = tuple(self._read().values())
        whole = _File(ABOUT, 1, records, tuple(self._mentions.values()))
        data = msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"
        try:
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self.path)
        except OSError as error:
            raise Unavailable(
                f"The recording {str(self.path)!r} cannot be written: {error.strerror}.",
                hint="Name another file: %chat replay auto FILE.",
            ) from error
        self._written = True

    def changed(self, content: Content) -> str:
        """How a content differs from the recorded one that is most like it, in a sentence."""
        records = list(self._read().values())
        if not records:
            return f"Nothing is recorded in {str(self.path)!r}."
        nearest = max(records, key=lambda record: _likeness(record.content, content)).content
        changes = list(_changes(nearest, content))
        return f"Against the recording, {'; '.join(changes)}."

    def _read(self) -> dict[str, Record]:
        if self._records is None:
            file = _file(self.path)
            self._records = {record.key: record for record in file.records}
            self._mentions = {mention.name: mention for mention in file.mentions}
        return self._records


def _file(path: Path) -> _File:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return _File(ABOUT, 1, ())
    except OSError as error:
        raise Unavailable(
            f"The recording {str(path)!r} cannot be read: {error.strerror}.",
            hint="Check the path and its permissions.",
        ) from error
    try:
        file = msgspec.json.decode(data, type=_File)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(
            f"{str(path)!r} is no recording of BestChat's: {one_line(str(error), 200)}.",
            hint="Name another file, or delete it to record anew.",
        ) from error
    if file.version != 1:
        raise InvalidRequest(
            f"{str(path)!r} was recorded by a newer version of BestChat.", hint="Upgrade this one."
        )
    return file


def _likeness(one: Content, other: Content) -> tuple[int, float]:
    """How many fields are equal, and how alike the texts are."""
    import difflib

    fields = msgspec.structs.fields(Content)
    same = sum(getattr(one, it.name) == getattr(other, it.name) for it in fields)
    return same, difflib.SequenceMatcher(None, one.text, other.text).ratio()


def _changes(before: Content, now: Content) -> list[str]:
    import difflib

    told: list[str] = []
    if before.text != now.text:
        lines = difflib.ndiff(before.text, now.text)
        old, new = "", ""
        for line in lines:
            old = old or (line[2:] if line.startswith("- ") else "")
            new = new or (line[2:] if line.startswith("+ ") else "")
        told.append(f"the prompt has {one_line(new, 80)!r} in place of {one_line(old, 80)!r}")
    if before.after != now.after:
        told.append("something before it in the conversation has changed")
    if before.model != now.model:
        told.append(
            f"the model is {now.model or 'the default'}, not {before.model or 'the default'}"
        )
    if before.images != now.images:
        told.append("the pictures have changed")
    if (before.system, before.options) != (now.system, now.options):
        told.append("the instructions or options have changed")
    return told
