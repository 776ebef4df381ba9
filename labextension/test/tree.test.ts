import assert from "node:assert/strict";
import test from "node:test";

import type { ConversationState, Message } from "../src/conversation/state.js";
import { branch, choose, type Choices } from "../src/conversation/tree.js";
import { conversationState1 } from "./fixtures.generated.js";

function message(id: string, parent: string | null): Message {
  return {
    id,
    parent_id: parent,
    role: "user",
    parts: [],
    created_at: "2026-11-23T09:30:00Z",
    turn_id: "t",
  };
}

/** Each pair is a message and the one it follows, in the order in which they were added. */
function tree(...pairs: [string, string | null][]): ConversationState {
  const messages = Object.fromEntries(pairs.map(([id, parent]) => [id, message(id, parent)]));
  return { ...conversationState1, messages };
}

const FORKED = tree(["a", null], ["b", "a"], ["c", "b"], ["B", "a"], ["C", "B"], ["A", null]);

function ids(state: ConversationState, choices: Choices): string[] {
  return branch(state, choices).map((shown) => shown.message.id);
}

test("the newest branch is shown where nothing is chosen", () => {
  assert.deepEqual(ids(FORKED, {}), ["A"]);
  assert.deepEqual(ids(tree(), {}), []);
});

test("choosing a message shows its branch down to the end", () => {
  assert.deepEqual(ids(FORKED, choose(FORKED, {}, "b")), ["a", "b", "c"]);
  assert.deepEqual(ids(FORKED, choose(FORKED, {}, "a")), ["a", "B", "C"]);
});

test("choices on other branches stay", () => {
  const choices = choose(FORKED, choose(FORKED, {}, "b"), "A");
  assert.deepEqual(ids(FORKED, choices), ["A"]);
  assert.deepEqual(ids(FORKED, choose(FORKED, choices, "a")), ["a", "b", "c"]);
});

test("every message knows what stands beside it", () => {
  const shown = branch(FORKED, choose(FORKED, {}, "c"));
  assert.deepEqual(shown.map(({ siblings }) => siblings), [["a", "A"], ["b", "B"], ["c"]]);
});

test("a choice that is gone is no choice", () => {
  assert.deepEqual(ids(FORKED, { "": "nobody" }), ["A"]);
});
