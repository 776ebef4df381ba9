"""One realistic value of everything that travels between server and clients.

The events tell one story: a conversation in which one tool is approved and one rejected, and in
which turns end in every way there is. Whatever holds a conversation's state is computed from
them, so the samples are what the server would send, not what somebody thinks it sends.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import msgspec

from bestchat_server_ext.api import (
    approvals,
    conversations,
    files,
    frames,
    messages,
    models,
    pages,
    providers,
    system,
    tokens,
    turns,
    usage,
)
from bestchat_server_ext.api import events as replays
from bestchat_server_ext.api.error_body import ErrorBody
from bestchat_server_ext.api.procedure import PROTOCOL, Empty
from bestchat_server_ext.core import conversation as conv
from bestchat_server_ext.core import events as ev
from bestchat_server_ext.core.access import EVERY_SCOPE, KERNEL_SCOPES, Scope
from bestchat_server_ext.core.conversation_settings import ConversationSettings
from bestchat_server_ext.core.errors import MissingKey, NotFound, RateLimited
from bestchat_server_ext.core.files import FileUpload
from bestchat_server_ext.core.ids import (
    LOCAL_OWNER,
    ConversationId,
    FileId,
    MessageId,
    RequestId,
    TokenId,
    TurnId,
    uuid7,
)
from bestchat_server_ext.core.messages import (
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from bestchat_server_ext.core.models import ModelFacts, Prices, RequestOptions, Usage
from bestchat_server_ext.core.pages import Page
from bestchat_server_ext.core.queue import QueuedMessage
from bestchat_server_ext.core.search import Hit, SnippetPart
from bestchat_server_ext.core.tokens import ENTROPY_BYTES, new_token
from bestchat_server_ext.core.tools import Decision, ToolCall, ToolExecution, ToolResult

START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MODEL = "openai/gpt-5-mini"
KERNEL = "6f1c5f0e-8a52-4b7e-9a55-3a0f4a0d8c11"


def _id(number: int) -> str:
    return uuid7(START + timedelta(seconds=number), number.to_bytes(10, "big"))


CONVERSATION = ConversationId(_id(0))
DONE, FAILED, STOPPED, LOST, ON = (TurnId(_id(number)) for number in (10, 20, 30, 40, 70))
CALLING, ANSWER = (conv.answer_id(DONE, step) for step in (1, 2))


def _question(turn_id: TurnId) -> MessageId:
    return MessageId(conv.answer_id(turn_id, 0))


def _asked(turn_id: TurnId, text: str, parent_id: MessageId | None) -> list[ev.Event]:
    """What the start of a turn brings."""
    message = Message(
        id=_question(turn_id),
        parent_id=parent_id,
        role="user",
        parts=(TextPart(text),),
        created_at=START,
        turn_id=turn_id,
    )
    request_id = RequestId(f"cell-{turn_id[-4:]}")
    return [
        ev.MessageAdded(message),
        ev.TurnStarted(turn_id, request_id, message.id, MODEL),
        ev.StepStarted(turn_id, 1, conv.answer_id(turn_id, 1), message.id),
    ]


def _execution(position: int, call: ToolCall) -> ToolExecution:
    return ToolExecution(
        id=conv.execution_id(DONE, 1, position),
        conversation_id=CONVERSATION,
        turn_id=DONE,
        message_id=CALLING,
        step=1,
        position=position,
        call=call,
        placement="kernel" if position else "server",
        kernel_id=KERNEL if position else None,
    )


READ = _execution(0, ToolCall("call_1", "read_file", '{"path": "sales.csv"}'))
RUN = _execution(1, ToolCall("call_2", "run_code", '{"code": "df.describe()"}'))
CONTENT = ToolResult("month,sales\n2026-09,120\n2026-10,135\n")
REFUSAL = ToolResult("The user rejected this call. Use the file only.", is_error=True)

TOOL_REQUEST = Message(
    id=CALLING,
    parent_id=_question(DONE),
    role="assistant",
    parts=(
        ReasoningPart("The file has to be read first."),
        TextPart("I am reading the file — *at once*."),
        ToolCallPart(READ.call, READ.id),
        ToolCallPart(RUN.call, RUN.id),
    ),
    created_at=START + timedelta(seconds=2),
    turn_id=DONE,
    step=1,
    model=MODEL,
    usage=Usage(input_tokens=812, output_tokens=64, cached_tokens=512, reasoning_tokens=20),
    finish_reason="tool_calls",
)
TOOL_RESULTS = Message(
    id=conv.tool_message_id(DONE, 1),
    parent_id=CALLING,
    role="tool",
    parts=(
        ToolResultPart("call_1", "read_file", CONTENT),
        ToolResultPart("call_2", "run_code", REFUSAL),
    ),
    created_at=START + timedelta(seconds=9),
    turn_id=DONE,
    step=1,
)
FINAL = Message(
    id=ANSWER,
    parent_id=TOOL_RESULTS.id,
    role="assistant",
    parts=(TextPart("Sales grew by **12.5 %** 📈."),),
    created_at=START + timedelta(seconds=12, microseconds=250_000),
    turn_id=DONE,
    step=2,
    model=MODEL,
    usage=Usage(input_tokens=905, output_tokens=17),
    finish_reason="stop",
)
CUT = Message(
    id=conv.answer_id(STOPPED, 1),
    parent_id=_question(STOPPED),
    role="assistant",
    parts=(TextPart("Once upon"),),
    created_at=START + timedelta(seconds=31),
    turn_id=STOPPED,
    step=1,
    model=MODEL,
    partial=True,
)
BUSY = RateLimited("The provider asks to wait.", hint="Try again later.", retry_after=12.5).info

SETTINGS = ConversationSettings(
    MODEL, ("anthropic/claude-sonnet-5",), "Answer in one sentence.", "0.50"
)
WAITS = QueuedMessage(
    TurnId(_id(60)),
    RequestId("cell-60"),
    "And in winter?",
    MODEL,
    START + timedelta(seconds=40),
    (ImagePart("image/png", b"\x89PNG"),),
    RequestOptions(temperature=0.2),
    files=(FilePart(FileId(_id(81)), "sales.csv", "text/csv", 1_234),),
)
UPLOAD = FileUpload(
    FileId(_id(81)),
    CONVERSATION,
    "sales.csv",
    1_234,
    START,
    "text/csv",
    "stored",
    "ready",
    "a table of 12 rows below its header and 2 columns",
    attached=True,
)

STORY: tuple[ev.Event, ...] = (
    ev.ConversationCreated(LOCAL_OWNER, label="reports/sales.ipynb"),
    ev.ConversationRenamed("How did sales go?", first=True),
    ev.ConversationRenamed("Not this", first=True),
    ev.ConversationRenamed("Sales of the autumn"),
    *_asked(DONE, "How did sales go?", None),
    ev.MessageAdded(TOOL_REQUEST),
    ev.ToolProposed(READ),
    ev.ToolProposed(RUN),
    ev.ApprovalRequested(READ.id),
    ev.ApprovalRequested(RUN.id),
    ev.TurnWaiting(DONE),
    ev.ApprovalAnswered(READ.id, Decision("approve", arguments='{"path": "data/sales.csv"}')),
    ev.ApprovalAnswered(RUN.id, Decision("reject", reason="Use the file only.")),
    ev.TurnResumed(DONE),
    ev.ToolStarted(READ.id),
    ev.ToolFinished(READ.id, "done", CONTENT),
    ev.MessageAdded(TOOL_RESULTS),
    ev.StepStarted(DONE, 2, ANSWER, TOOL_RESULTS.id),
    ev.MessageAdded(FINAL),
    ev.TurnFinished(DONE),
    *_asked(FAILED, "And next year?", ANSWER),
    ev.AttemptFailed(FAILED, 1, MODEL, BUSY, "anthropic/claude-sonnet-5", kept=False),
    ev.TurnFailed(FAILED, BUSY),
    *_asked(STOPPED, "Tell me a story.", _question(FAILED)),
    ev.CancelRequested(STOPPED),
    ev.MessageAdded(CUT),
    ev.TurnCancelled(STOPPED),
    *_asked(LOST, "Go on.", CUT.id),
    ev.MessageQueued(WAITS),
    ev.MessageQueued(
        msgspec.structs.replace(WAITS, turn_id=TurnId(_id(61)), request_id=RequestId("cell-61"))
    ),
    ev.RequestReduced(LOST, 1, _question(STOPPED), 7, 9_000, 4_200, 10_000),
    ev.TurnInterrupted(LOST),
    ev.MessageUnqueued(WAITS.turn_id),
    ev.TurnStarted(ON, RequestId("on-1"), _question(STOPPED), MODEL, parent_id=CUT.id),
    ev.StepStarted(ON, 1, conv.answer_id(ON, 1), CUT.id),
    ev.TurnFailed(ON, BUSY),
    ev.ConversationConfigured(SETTINGS, replaces=2),
    ev.ConversationStarred(starred=True),
    ev.ConversationArchived(archived=True),
    ev.ConversationArchived(archived=False),
    ev.MessagePinned(ANSWER, pinned=True),
    ev.MessagePinned(CUT.id, pinned=True),
    ev.MessagePinned(CUT.id, pinned=False),
    ev.ConversationTrashed(),
    ev.ConversationRestored(),
)


def _envelope(seq: int, event: ev.Event) -> ev.Envelope:
    return ev.Envelope(CONVERSATION, seq, START + timedelta(seconds=seq), event)


ENVELOPES = tuple(_envelope(seq, event) for seq, event in enumerate(STORY, start=1))
STATES = tuple(
    accumulate(ENVELOPES[1:], conv.reduce, initial=conv.create(CONVERSATION, ENVELOPES[0]))
)
"""The state after each event."""
STATE = STATES[-1]
SEQ = STATE.conversation.seq
MIDWAY = tuple(
    state
    for state, event in zip(STATES, STORY, strict=True)
    if isinstance(event, ev.TurnWaiting | ev.ToolStarted | ev.AttemptFailed | ev.CancelRequested)
)
"""States in which something is under way."""
WAITING = msgspec.structs.replace(RUN, state="waiting")

SERVER_FRAMES: tuple[frames.ServerFrame, ...] = (
    frames.Welcome(PROTOCOL, "0.1.0"),
    frames.Snapshot(CONVERSATION, STATE),
    *ENVELOPES,
    _envelope(SEQ + 1, ev.ConversationDeleted()),
    ev.Delta(CONVERSATION, DONE, ANSWER, 0, "text", 1, 3, "Sales grew"),
    frames.CaughtUp(CONVERSATION, SEQ),
    frames.Heartbeat({CONVERSATION: SEQ}),
    frames.Problem(NotFound("There is no such object.").info, CONVERSATION),
)

CLIENT_FRAMES: tuple[frames.ClientFrame, ...] = (
    frames.Hello(PROTOCOL),
    frames.Subscribe(CONVERSATION),
    frames.Subscribe(CONVERSATION, SEQ, frames.DraftPosition(ANSWER, 0, 3)),
    frames.Unsubscribe(CONVERSATION),
    frames.Ping(),
)

FOUND = Hit(
    conversation_id=CONVERSATION,
    title=STATE.conversation.title,
    updated_at=STATE.conversation.updated_at,
    snippet=(SnippetPart("Sales", match=True), SnippetPart(" grew by 12.5 %")),
    message_id=ANSWER,
    starred=True,
)

MADE = tokens.NewToken(
    id=TokenId(_id(50)),
    token=new_token(bytes(ENTROPY_BYTES)),
    name="Night build",
    scopes=(Scope.CONVERSATIONS_WRITE.value, Scope.TURNS.value),
    created_at=START,
    expires_at=START + timedelta(days=90),
)
LISTED = tokens.TokenInfo(
    id=MADE.id,
    kind="token",
    name=MADE.name,
    scopes=MADE.scopes,
    created_at=MADE.created_at,
    expires_at=MADE.expires_at,
    revoked_at=None,
    kernel_id=None,
)
KERNELS = tokens.TokenInfo(
    id=TokenId(_id(49)),
    kind="kernel",
    name="",
    scopes=tuple(sorted(scope.value for scope in KERNEL_SCOPES)),
    created_at=START,
    expires_at=None,
    revoked_at=None,
    kernel_id=KERNEL,
)

PAID = usage.Spending(
    attempts=3,
    failed=1,
    cancelled=1,
    usage=Usage(1717, 90, cached_tokens=512, reasoning_tokens=20),
    cost="0.001234567",
    unknown_attempts=0,
    estimated=1,
    estimated_tokens=9,
    estimated_cost="0.00000225",
)
UNPAID = usage.Spending(
    attempts=2,
    failed=0,
    cancelled=0,
    usage=Usage(905, 17),
    cost=None,
    unknown_attempts=2,
    estimated=0,
    estimated_tokens=0,
    estimated_cost=None,
)
SPENT = usage.UsageSummary(
    by="model",
    since=START.date().replace(day=1),
    until=START.date(),
    rows=(usage.UsageRow("ollama/unheard-of", UNPAID), usage.UsageRow(MODEL, PAID)),
    total=msgspec.structs.replace(
        PAID, attempts=5, usage=PAID.usage + UNPAID.usage, unknown_attempts=2
    ),
    cursor="",
)

OPENAI = providers.ProviderInfo(
    name="openai",
    label="OpenAI",
    lane="openai",
    configured=True,
    source="environment",
    variable="OPENAI_API_KEY",
    needs=(),
    key_name="OPENAI_API_KEY",
    url_name="OPENAI_BASE_URL",
    redirected=False,
    default=MODEL,
    permitted=True,
    docs="https://platform.openai.com/docs/models",
)
VLLM = providers.ProviderInfo(
    name="vllm",
    label="vLLM",
    lane="openai",
    configured=False,
    source="",
    variable="",
    needs=("VLLM_BASE_URL",),
    key_name="VLLM_API_KEY",
    url_name="VLLM_BASE_URL",
    redirected=False,
    default=None,
    permitted=False,
    docs="https://docs.vllm.ai",
)
STORED = providers.StoredProvider(
    provider="openai",
    has_key=True,
    last_four="wxyz",
    key_command=False,
    base_url="http://gateway.example.org/v1",
    default_model=MODEL,
    version=2,
    updated_at=START,
    notices=("The key travels to gateway.example.org unencrypted.",),
)

REQUESTS: tuple[msgspec.Struct, ...] = (
    conversations.CreateConversation(label="reports/sales.ipynb", conversation_id=CONVERSATION),
    conversations.GetConversation(CONVERSATION),
    conversations.ListConversations(limit=20),
    conversations.RenameConversation(CONVERSATION, "Sales of the autumn"),
    conversations.SearchConversations("autumn sal"),
    conversations.ConfigureConversation(CONVERSATION, SETTINGS, version=2),
    conversations.StarConversation(CONVERSATION),
    conversations.ArchiveConversation(CONVERSATION),
    conversations.ForkConversation(CONVERSATION, ANSWER),
    conversations.ExportConversation(CONVERSATION, "notebook"),
    conversations.ImportConversation("{}", "jupyter-ai"),
    conversations.DeleteConversation(CONVERSATION),
    conversations.RestoreConversation(CONVERSATION),
    turns.StartTurn(
        conversation_id=CONVERSATION,
        request_id=RequestId("cell-1"),
        text="How did sales go?",
        model=MODEL,
        queue=True,
    ),
    turns.ContinueTurn(conversation_id=CONVERSATION, request_id=RequestId("on-1"), turn_id=STOPPED),
    turns.UnqueueMessage(CONVERSATION, WAITS.turn_id),
    turns.SendQueued(CONVERSATION),
    messages.EditMessage(
        conversation_id=CONVERSATION,
        request_id=RequestId("edit-1"),
        message_id=_question(DONE),
        text="How did sales go in autumn?",
    ),
    messages.RegenerateAnswer(
        conversation_id=CONVERSATION, request_id=RequestId("again-1"), message_id=ANSWER
    ),
    messages.PinMessage(CONVERSATION, ANSWER),
    files.CreateFile(conversation_id=CONVERSATION, name="sales.csv", size=1_234),
    files.GetFile(UPLOAD.id),
    files.ListFiles(CONVERSATION),
    files.DeleteFile(UPLOAD.id),
    turns.CancelTurn(STOPPED),
    turns.GetTurn(DONE),
    pages.ReadPage("https://example.org/sales"),
    approvals.ListApprovals(),
    approvals.AnswerApproval(READ.id, "approve", arguments='{"path": "data/sales.csv"}'),
    replays.ReplayEvents(CONVERSATION, after=3),
    replays.SubscribeEvents(CONVERSATION, after=3),
    models.ListModels(),
    models.ListModels(known_only=True, provider="openai"),
    models.GetModel(MODEL),
    providers.ListProviders(),
    providers.ConfigureProvider("openai", base_url=STORED.base_url, version=1),
    providers.CheckProvider("openai", model=MODEL),
    providers.ForgetProvider("openai"),
    tokens.CreateToken("Night build", (Scope.TURNS, Scope.CONVERSATIONS_WRITE), 90 * 86_400),
    tokens.ListTokens(limit=20),
    tokens.RevokeToken(MADE.id),
    usage.SummarizeUsage("model", since=START.date().replace(day=1)),
    system.GetHealth(),
    system.WhoAmI(),
    system.ListOptions(),
)

RESPONSES: tuple[msgspec.Struct, ...] = (
    STATE.conversation,
    STATE,
    conversations.ConversationPage((STATE.conversation,), ""),
    conversations.SearchResult((FOUND,)),
    conversations.ExportedFile("Sales-of-the-autumn.md", "text/markdown", "# Sales\n"),
    STATE.messages[ANSWER],
    Empty(),
    UPLOAD,
    files.FileList((UPLOAD,)),
    turns.TurnTicket(DONE, _question(DONE), 4, MODEL),
    *STATE.turns.values(),
    Page(
        "https://example.org/sales", "# Sales\n\nThey grew.", "It is longer: this is its beginning."
    ),
    approvals.PendingApprovals((WAITING,)),
    *STATE.executions.values(),
    replays.Replay(ENVELOPES[-2:], SEQ),
    replays.Replay((), SEQ, STATE),
    replays.Streamed(frames.CaughtUp(CONVERSATION, SEQ)),
    models.ModelList(
        (
            ModelFacts(MODEL, window=400_000, output_limit=128_000, tools=True),
            ModelFacts("local/smollm2-135m", label="demo model", ready=False, todo="Install it."),
            ModelFacts("ollama/unheard-of", known=False),
        ),
        default=MODEL,
        default_todo="",
        left_out=(models.LeftOut("groq", "Groq refused the key."),),
    ),
    ModelFacts(
        "anthropic/claude-haiku-4-5",
        window=200_000,
        output_limit=64_000,
        tools=True,
        images=True,
        reasoning=True,
        prefill=True,
        cache=True,
        prices=Prices("1", "5", "0.1", "1.25", "2026-11-23", up_to=200_000),
        deprecated="2027-10-15",
    ),
    providers.ProviderList((OPENAI, VLLM)),
    STORED,
    providers.Verdict(
        code="key_refused",
        text="OpenAI at gateway.example.org refuses the key.",
        hint="Enter another one.",
        model=MODEL,
        reached=True,
        key_accepted=False,
        model_exists=None,
    ),
    MADE,
    tokens.TokenList((LISTED, KERNELS), ""),
    msgspec.structs.replace(LISTED, revoked_at=START + timedelta(days=1)),
    SPENT,
    system.Health(alive=True, protocol=PROTOCOL),
    system.Health(
        alive=True,
        protocol=PROTOCOL,
        version="0.1.0",
        storage="ok",
        error=MissingKey("There is no key for openai.", hint="Set OPENAI_API_KEY.").info,
        running_turns=1,
        database="db.example.org/bestchat",
        notices=("The database lies on a network file system (nfs).",),
    ),
    system.Identity(LOCAL_OWNER, "user", tuple(sorted(EVERY_SCOPE))),
    system.OptionList(
        (
            system.Option("default_model", MODEL, "BESTCHAT_DEFAULT_MODEL", "Who answers."),
            system.Option("database_url", "", system.DEFAULT_ORIGIN, "Where it is stored."),
        )
    ),
    ErrorBody(BUSY),
)

SAMPLES = (*SERVER_FRAMES, *CLIENT_FRAMES, *REQUESTS, *RESPONSES, *MIDWAY)
