/** Reducing in TypeScript gives what reducing in Python gives. */

import assert from "node:assert/strict";
import test from "node:test";

import { parseServerFrame, type Envelope } from "../src/api/frames.js";
import {
  activeTurn,
  create,
  reduce,
  textOf,
  type ConversationState,
} from "../src/conversation/state.js";
import * as fixtures from "./fixtures.generated.js";

const story = fixtures.serverFrames
  .map((frame) => parseServerFrame(JSON.stringify(frame)))
  .filter((frame) => frame?.type === "event");

const states = Object.entries(fixtures)
  .filter(([name]) => name.startsWith("conversationState"))
  .map(([, state]) => state as ConversationState);

/** The state after so many events of the story. */
function told(count: number): ConversationState {
  const [first, ...others] = story.slice(0, count);
  assert.ok(first?.event.type === "conversation_created");
  return others.reduce(reduce, create(first, first.event));
}

/** What stands for itself where a field is left out, as Python does with its defaults. */
const DEFAULTS = new Set<unknown>([null, "", false, 0, "running", "proposed", "server"]);

/** A value without what Python leaves out. */
function lean(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, item]) => [name, lean(item)] as const)
      .filter(([name, item]) => !isDefault(item) && !(name === "attended" && item === true)),
  );
}

function isDefault(item: unknown): boolean {
  return DEFAULTS.has(item) || (typeof item === "object" && Object.keys(item ?? {}).length === 0);
}

test("the state after every kind of event is Python's", () => {
  assert.ok(states.length >= 5);
  for (const state of states) {
    const reduced = told(state.conversation.seq);
    assert.deepEqual(lean(reduced), lean(state));
    assert.deepEqual(Object.keys(reduced.messages), Object.keys(state.messages));
    assert.deepEqual(Object.keys(reduced.turns), Object.keys(state.turns));
  }
});

test("the story is told in every kind of event", () => {
  const types = new Set(story.map((envelope) => envelope.event.type));
  assert.equal(types.size, 28);
});

test("an event that is contained already changes nothing", () => {
  const state = told(20);
  assert.ok(story[10] !== undefined);
  assert.equal(reduce(state, story[10]), state);
});

test("an event of a newer server counts and changes nothing else", () => {
  const state = told(5);
  const unknown: Envelope = {
    type: "event",
    conversation_id: state.conversation.id,
    seq: state.conversation.seq + 1,
    at: state.conversation.updated_at,
    event: { type: "unknown" },
  };
  const next = reduce(state, unknown);
  assert.equal(next.conversation.seq, state.conversation.seq + 1);
  assert.deepEqual(next.messages, state.messages);
});

test("one turn at most keeps a conversation busy", () => {
  assert.equal(activeTurn(told(2)), null);
  assert.equal(activeTurn(told(7))?.model, "openai/gpt-5-mini");
  assert.equal(activeTurn(told(story.length)), null);
});

test("the text of a message leaves out what it thought", () => {
  const request = Object.values(told(8).messages).at(-1);
  assert.ok(request !== undefined);
  assert.equal(textOf(request), "I am reading the file — *at once*.");
});
