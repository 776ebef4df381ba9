/** What travels on the WebSocket: reading what the server sends. */

import type { components } from "./generated.js";

type Schemas = components["schemas"];
type KnownFrame = Schemas["ServerFrame"];

export type ConversationEvent = Schemas["Event"];

/** Stands for an event that only newer servers know: it has a number, and nothing to say. */
export interface UnknownEvent {
  type: "unknown";
}

export interface Envelope extends Omit<Schemas["Envelope"], "event"> {
  event: ConversationEvent | UnknownEvent;
}

/** What a reader gets to see: frames as they were sent, unknown events made recognisable. */
export type ServerFrame = Exclude<KnownFrame, Schemas["Envelope"]> | Envelope;

// Tables and not lists: a type that Python adds is missing here, and that does not compile.

const FRAME_TYPES: Record<KnownFrame["type"], true> = {
  welcome: true,
  snapshot: true,
  event: true,
  delta: true,
  caught_up: true,
  heartbeat: true,
  error: true,
};

const EVENT_TYPES: Record<ConversationEvent["type"], true> = {
  conversation_created: true,
  conversation_renamed: true,
  conversation_configured: true,
  conversation_starred: true,
  conversation_archived: true,
  conversation_trashed: true,
  conversation_restored: true,
  conversation_deleted: true,
  message_added: true,
  message_pinned: true,
  message_queued: true,
  message_unqueued: true,
  turn_started: true,
  step_started: true,
  attempt_failed: true,
  request_reduced: true,
  tool_proposed: true,
  approval_requested: true,
  approval_answered: true,
  tool_started: true,
  tool_finished: true,
  turn_waiting: true,
  turn_resumed: true,
  cancel_requested: true,
  turn_finished: true,
  turn_failed: true,
  turn_cancelled: true,
  turn_interrupted: true,
};

/**
 * Read one frame. Null for what this version does not know, so that it survives a newer server.
 *
 * An envelope around an unknown event is kept: its `seq` counts, and dropping it would look like
 * a gap for ever.
 */
export function parseServerFrame(text: string): ServerFrame | null {
  const value = parseJson(text);
  if (!hasType<KnownFrame>(value, FRAME_TYPES)) {
    return null;
  }
  if (value.type === "event" && !hasType<ConversationEvent>(value.event, EVENT_TYPES)) {
    return { ...value, event: { type: "unknown" } };
  }
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether a value says of itself that it is one of a union. The server's word is taken. */
function hasType<Union extends { type: string }>(
  value: unknown,
  known: Record<Union["type"], true>,
): value is Union {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    typeof value.type === "string" &&
    Object.hasOwn(known, value.type)
  );
}
