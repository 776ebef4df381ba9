import assert from "node:assert/strict";
import test from "node:test";

import { parseServerFrame } from "../src/api/frames.js";
import type { ConversationEvent, ServerFrame } from "../src/api/frames.js";
import { messageAdded1, serverFrames } from "./fixtures.generated.js";

function assertNever(value: never): never {
  throw new TypeError(`not handled: ${JSON.stringify(value)}`);
}

/** Something that only this kind of event has: compiles only if the type tells members apart. */
function subject(event: ConversationEvent): string {
  switch (event.type) {
    case "conversation_created":
      return event.owner;
    case "conversation_renamed":
      return event.title;
    case "conversation_configured":
      return JSON.stringify(event.settings);
    case "conversation_starred":
      return String(event.starred);
    case "conversation_archived":
      return String(event.archived);
    case "conversation_trashed":
    case "conversation_restored":
    case "conversation_deleted":
      return "everything";
    case "message_added":
      return event.message.id;
    case "message_pinned":
      return event.message_id;
    case "message_queued":
      return event.message.text;
    case "request_reduced":
      return event.first_message_id;
    case "step_started":
      return event.message_id;
    case "attempt_failed":
      return event.next_model;
    case "tool_proposed":
      return event.execution.id;
    case "approval_requested":
    case "approval_answered":
    case "tool_started":
    case "tool_finished":
      return event.execution_id;
    case "message_unqueued":
    case "turn_started":
    case "turn_waiting":
    case "turn_resumed":
    case "cancel_requested":
    case "turn_finished":
    case "turn_failed":
    case "turn_cancelled":
    case "turn_interrupted":
      return event.turn_id;
    default:
      return assertNever(event);
  }
}

/** Which conversation a frame is about: compiles only if the type tells members apart. */
function place(frame: ServerFrame): string | null {
  switch (frame.type) {
    case "welcome":
    case "heartbeat":
      return null;
    case "snapshot":
      return frame.state.conversation.id;
    case "event":
    case "delta":
    case "caught_up":
      return frame.conversation_id;
    case "error":
      return frame.conversation_id ?? null;
    default:
      return assertNever(frame);
  }
}

test("every frame that Python sends is read as it was sent", () => {
  for (const frame of serverFrames) {
    assert.deepEqual(parseServerFrame(JSON.stringify(frame)), frame);
  }
});

test("every frame and every event can be told apart", () => {
  for (const sent of serverFrames) {
    const frame = parseServerFrame(JSON.stringify(sent));
    assert.ok(frame !== null);
    const home = place(frame);
    assert.ok(home === null || home === messageAdded1.conversation_id);
    if (frame.type === "event") {
      assert.ok(frame.event.type !== "unknown");
      assert.equal(typeof subject(frame.event), "string");
    }
  }
});

test("a frame of a newer server is ignored", () => {
  assert.equal(parseServerFrame('{"type": "confetti", "colour": "red"}'), null);
  assert.equal(parseServerFrame('{"type": "toString"}'), null);
});

test("an event of a newer server keeps its number", () => {
  const sent = { ...messageAdded1, event: { type: "message_painted", message_id: "m" } };
  const read = parseServerFrame(JSON.stringify(sent));
  assert.deepEqual(read, { ...messageAdded1, event: { type: "unknown" } });
});

test("what is no frame at all is ignored", () => {
  for (const text of ["", "{", "null", "7", "[]", "{}", '"event"', '{"type": 1}']) {
    assert.equal(parseServerFrame(text), null);
  }
});
