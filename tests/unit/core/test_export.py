"""Conversations as files, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.conversation import Conversation, ConversationState
from bestchat_server_ext.core.copying import copied
from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.core.export import file_name, to_json, to_markdown, to_notebook
from bestchat_server_ext.core.fences import Segment, segments
from bestchat_server_ext.core.ids import (
    ConversationId,
    ExecutionId,
    MessageId,
    OwnerId,
    TurnId,
    is_new_id,
)
from bestchat_server_ext.core.importing import from_json, from_jupyter_ai
from bestchat_server_ext.core.messages import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.tools import ToolCall, ToolResult

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE = ConversationId("01a207bd-a9c0-7000-8000-000000000000")
CALL = ToolCall("1", "read_file", '{"path": "a.csv"}')


def message(number: int, role: Any, *parts: Part, **more: Any) -> Message:
    return Message(
        id=MessageId(f"01a207bd-a9c0-7000-8000-0000000000{number:02}"),
        parent_id=MessageId(f"01a207bd-a9c0-7000-8000-0000000000{number - 1:02}")
        if number > 1
        else None,
        role=role,
        parts=parts,
        created_at=NOW,
        turn_id=TurnId(HERE),
        **more,
    )


def state(*messages: Message, title: str = "Sales & more") -> ConversationState:
    conversation = Conversation(HERE, OwnerId("ada"), 9, NOW, NOW, title)
    return ConversationState(conversation, {item.id: item for item in messages}, {}, {})


TALK = (
    message(1, "user", TextPart("How did sales go?"), ImagePart("image/png", b"\x89PNG")),
    message(
        2,
        "assistant",
        ReasoningPart("The file first."),
        TextPart("I look."),
        ToolCallPart(CALL, ExecutionId(HERE)),
        model="openai/gpt-5-mini",
    ),
    message(3, "tool", ToolResultPart("1", "read_file", ToolResult("a,b\n```\n1,2"))),
    message(
        4, "assistant", TextPart("Run\n~~~py\nx = 1\n~~~\nor\n```sql\nSELECT 1\n```"), partial=True
    ),
)


def test_markdown_reads_as_it_was_said() -> None:
    assert to_markdown(state(*TALK), TALK[-1].id) == (
        "# Sales & more\n\n## You\n\nHow did sales go?\n\n*An image (image/png).*\n\n"
        "## openai/gpt-5-mini\n\nI look.\n\nCalled `read_file`:\n\n"
        '```json\n{"path": "a.csv"}\n```\n\n`read_file` gave:\n\n````\na,b\n```\n1,2\n````\n\n'
        "## Model (broke off)\n\nRun\n~~~py\nx = 1\n~~~\nor\n```sql\nSELECT 1\n```\n"
    )


def test_a_notebook_has_python_in_cells_that_can_be_run() -> None:
    notebook = nbformat.reads(to_notebook(state(*TALK), TALK[-1].id), as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"] == ["x = 1"]
    assert notebook.cells[-1].source == "```sql\nSELECT 1\n```"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_json_has_everything_and_comes_back() -> None:
    found = from_json(to_json(state(*TALK), NOW))
    assert found.messages == TALK
    assert found.title == "Sales & more"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Sales & more", "Sales-more.md"),
        ("../../etc/passwd", "etc-passwd.md"),
        ("Über\x00Äpfel\n/\\:*?", "Über-Äpfel.md"),
        ("…", "conversation.md"),
        ("", "Conversation.md"),
        ("x" * 300, "x" * 60 + ".md"),
    ],
)
def test_a_files_name_is_one_everywhere(title: str, name: str) -> None:
    assert file_name(state(title=title), ".md") == name


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "no export"),
        ('{"kind": "bestchat.conversation", "version": 2}', "newer version"),
        ('{"kind": "bestchat.conversation", "version": 1}', "cannot be read"),
        ('{"kind": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ],
)
def test_what_is_no_export_is_told_so(content: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        from_json(content)
    assert caught.value.info.field == "content"


@pytest.mark.parametrize("time", [-5.0, 1e300, 0.0, 1750000000.123])
def test_whatever_time_a_chat_says_it_is_read(time: float) -> None:
    chat = {"messages": [{"body": "Hi", "sender": "ada", "time": time}]}
    (said,) = from_jupyter_ai(msgspec.json.encode(chat).decode(), HERE).messages
    assert (said.role, said.text) == ("user", "Hi")


def test_copies_have_names_of_their_own_and_hang_together() -> None:
    there = ConversationId("01a207bd-a9c0-7000-8000-0000000000ff")
    made = copied(TALK, there)
    assert made == copied(TALK, there)
    assert all(is_new_id(item.id) for item in made)
    assert {item.id for item in made}.isdisjoint(item.id for item in TALK)
    assert [item.parent_id for item in made[1:]] == [item.id for item in made[:-1]]
    part = made[1].parts[2]
    assert isinstance(part, ToolCallPart)
    assert part.execution_id != HERE


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 2**63},
        {"step": -1},
        {"created_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"model": "x" * 301},
        {"model": "a/b\nc"},
    ],
)
def test_what_fits_no_row_is_not_copied(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="cannot be"):
        copied([msgspec.structs.replace(TALK[0], **changes)], HERE)


@pytest.mark.parametrize("order", [(1, 0), (0, 0), (1,)])
def test_what_is_no_tree_is_not_copied(order: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match="hang together"):
        copied([TALK[number] for number in order], HERE)


@given(st.text("a`~\n> -x"))
def test_no_letter_is_lost_between_prose_and_code(text: str) -> None:
    letters = [letter for segment in segments(text) for letter in segment.text if letter == "a"]
    prose = [segment for segment in segments(text) if segment.language is None]
    assert len(letters) <= text.count("a")
    if "```" not in text and "~~~" not in text:
        assert prose == [Segment(text)]
