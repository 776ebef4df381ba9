/**
 * A conversation as a value, and how events change it: `core.conversation` in TypeScript.
 *
 * Pure, and free of JupyterLab, Lumino and React: the tests hold it against what Python makes of the
 * same events.
 */

import type { Schemas } from "../api/client.js";
import type { Envelope, UnknownEvent } from "../api/frames.js";

export type ConversationState = Schemas["ConversationState"];
export type Conversation = Schemas["Conversation"];
export type Message = Schemas["Message"];
export type Turn = Schemas["Turn"];
export type ToolExecution = Schemas["ToolExecution"];
export type Usage = Schemas["Usage"];

type ConversationEvent = Schemas["Event"];
type ExecutionState = NonNullable<ToolExecution["state"]>;

/** The state after the first event of a conversation, which says that it was created. */
export function create(envelope: Envelope, event: Schemas["ConversationCreated"]): ConversationState {
  const conversation: Conversation = {
    id: envelope.conversation_id,
    owner: event.owner,
    seq: envelope.seq,
    created_at: envelope.at,
    updated_at: envelope.at,
    title: event.title ?? "",
    label: event.label ?? "",
    settings: event.settings ?? {},
    forked_from: event.forked_from ?? null,
  };
  return { conversation, messages: {}, turns: {}, executions: {} };
}

/** The state after one more event. One that is contained already changes nothing. */
export function reduce(state: ConversationState, envelope: Envelope): ConversationState {
  if (envelope.seq <= state.conversation.seq) {
    return state;
  }
  const { event, seq, at } = envelope;
  const updated = QUIET.has(event.type) ? state.conversation.updated_at : at;
  const conversation = { ...applyToConversation(state.conversation, event, at), seq };
  return {
    conversation: { ...conversation, updated_at: updated },
    messages: reduceMessages(state.messages, event),
    turns: reduceTurns(state.turns, envelope),
    executions: reduceExecutions(state.executions, event),
  };
}

function add<Item extends { id: string }>(
  items: Record<string, Item>,
  item: Item,
): Record<string, Item> {
  return { ...items, [item.id]: item };
}

/** Events after which a conversation keeps its place in lists: nothing was said in it. */
const QUIET: ReadonlySet<string> = new Set([
  "conversation_configured",
  "conversation_starred",
  "conversation_archived",
  "conversation_trashed",
  "conversation_restored",
  "message_pinned",
]);

function applyToConversation(
  conversation: Conversation,
  event: ConversationEvent | UnknownEvent,
  at: string,
): Conversation {
  const version = (conversation.version ?? 1) + 1;
  const queue = conversation.queue ?? [];
  switch (event.type) {
    case "conversation_renamed":
      return event.first === true
        ? { ...conversation, title: named(conversation.title) ?? event.title }
        : { ...conversation, version, title: event.title };
    case "conversation_configured":
      return { ...conversation, version, settings: event.settings };
    case "conversation_starred":
      return { ...conversation, starred: event.starred };
    case "conversation_archived":
      return { ...conversation, archived: event.archived };
    case "conversation_trashed":
      return { ...conversation, deleted_at: conversation.deleted_at ?? at };
    case "conversation_restored":
      return { ...conversation, deleted_at: null };
    case "message_queued":
      return { ...conversation, queue: [...queue, event.message] };
    case "message_unqueued":
      return { ...conversation, queue: queue.filter((item) => item.turn_id !== event.turn_id) };
    default:
      return conversation;
  }
}

function named(title: string | undefined): string | null {
  return title === undefined || title === "" ? null : title;
}

function reduceMessages(
  messages: Record<string, Message>,
  event: ConversationEvent | UnknownEvent,
): Record<string, Message> {
  if (event.type === "message_added") {
    return add(messages, event.message);
  }
  const message = event.type === "message_pinned" ? messages[event.message_id] : undefined;
  return message === undefined || event.type !== "message_pinned"
    ? messages
    : add(messages, { ...message, pinned: event.pinned });
}

function reduceTurns(turns: Record<string, Turn>, envelope: Envelope): Record<string, Turn> {
  const { event } = envelope;
  if (event.type === "turn_started") {
    return add(turns, startTurn(envelope, event));
  }
  const turnId = turnOf(event);
  const turn = turnId === null ? undefined : turns[turnId];
  return turn === undefined ? turns : add(turns, applyToTurn(turn, event, envelope.at));
}

function startTurn(envelope: Envelope, event: Schemas["TurnStarted"]): Turn {
  return {
    id: event.turn_id,
    conversation_id: envelope.conversation_id,
    request_id: event.request_id,
    message_id: event.message_id,
    model: event.model,
    started_at: envelope.at,
    state: "running",
    attended: event.attended ?? true,
    parent_id: event.parent_id ?? null,
    options: event.options ?? {},
  };
}

/** The turn that an event changes, if it changes one. */
function turnOf(event: ConversationEvent | UnknownEvent): string | null {
  switch (event.type) {
    case "message_added":
      return event.message.turn_id;
    case "step_started":
    case "attempt_failed":
    case "request_reduced":
    case "turn_waiting":
    case "turn_resumed":
    case "cancel_requested":
    case "turn_finished":
    case "turn_failed":
    case "turn_cancelled":
    case "turn_interrupted":
      return event.turn_id;
    default:
      return null;
  }
}

function applyToTurn(turn: Turn, event: ConversationEvent | UnknownEvent, at: string): Turn {
  switch (event.type) {
    case "message_added":
      return event.message.usage ? { ...turn, usage: sum(turn.usage, event.message.usage) } : turn;
    case "step_started":
      return { ...turn, step: event.step, state: "running" };
    case "attempt_failed":
      return { ...turn, fallback: event.next_model === turn.model ? null : event.next_model };
    case "request_reduced":
      return { ...turn, first_message_id: event.first_message_id };
    case "turn_waiting":
      return { ...turn, state: "waiting" };
    case "turn_resumed":
      return { ...turn, state: "running" };
    case "cancel_requested":
      return { ...turn, cancelling: true };
    case "turn_finished":
      return { ...turn, state: "finished", ended_at: at };
    case "turn_failed":
      return { ...turn, state: "failed", ended_at: at, error: event.error };
    case "turn_cancelled":
      return { ...turn, state: "cancelled", ended_at: at };
    case "turn_interrupted":
      return { ...turn, state: "interrupted", ended_at: at };
    default:
      return turn;
  }
}

/** Tokens of two steps together. */
export function sum(one: Usage | undefined, other: Usage | undefined): Usage {
  return {
    input_tokens: (one?.input_tokens ?? 0) + (other?.input_tokens ?? 0),
    output_tokens: (one?.output_tokens ?? 0) + (other?.output_tokens ?? 0),
    cached_tokens: (one?.cached_tokens ?? 0) + (other?.cached_tokens ?? 0),
    cache_write_tokens: (one?.cache_write_tokens ?? 0) + (other?.cache_write_tokens ?? 0),
    reasoning_tokens: (one?.reasoning_tokens ?? 0) + (other?.reasoning_tokens ?? 0),
  };
}

function reduceExecutions(
  executions: Record<string, ToolExecution>,
  event: ConversationEvent | UnknownEvent,
): Record<string, ToolExecution> {
  if (event.type === "tool_proposed") {
    return add(executions, event.execution);
  }
  const id = "execution_id" in event ? event.execution_id : null;
  const execution = id === null ? undefined : executions[id];
  return execution === undefined ? executions : add(executions, applyToExecution(execution, event));
}

function applyToExecution(
  execution: ToolExecution,
  event: ConversationEvent | UnknownEvent,
): ToolExecution {
  switch (event.type) {
    case "approval_requested":
      return { ...execution, state: "waiting" };
    case "approval_answered":
      return decided(execution, event.decision);
    case "tool_started":
      return { ...execution, state: "running" };
    case "tool_finished":
      return { ...execution, state: event.state, result: event.result };
    default:
      return execution;
  }
}

function decided(execution: ToolExecution, decision: Schemas["Decision"]): ToolExecution {
  if (decision.verdict === "approve") {
    return { ...execution, decision, state: "approved" };
  }
  const denied: ExecutionState = "denied";
  const content = refusal(decision.by ?? "user", decision.reason ?? "");
  return { ...execution, decision, state: denied, result: { content, is_error: true } };
}

/** What the model is told about a call that did not happen. */
function refusal(by: string, reason: string): string {
  const told: Readonly<Partial<Record<string, string>>> = {
    policy: "The policy does not allow this call.",
    system: "This call did not run.",
  };
  const text = `${told[by] ?? "The user rejected this call."} ${reason}`.trim();
  return `${text} Do not try it again unless the user asks for it.`;
}

/** The turn that keeps a conversation busy, if one does. */
export function activeTurn(state: ConversationState): Turn | null {
  const turns = Object.values(state.turns);
  return turns.findLast((turn) => ["running", "waiting"].includes(turn.state)) ?? null;
}

/** All text parts of a message, joined; reasoning and tools are left out. */
export function textOf(message: Message): string {
  return message.parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}
