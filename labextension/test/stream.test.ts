/** The line to the server: what it asks for, when it comes back, and when it does not. */

import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

import { ApiError } from "../src/api/errors.js";
import type { ConversationFrame } from "../src/api/position.js";
import { EventStream, type LineState } from "../src/api/stream.js";
import {
  caughtUp1,
  conversationCreated1,
  conversationRenamed1,
  conversationState1,
  delta1,
  messageAdded1,
  snapshot1,
} from "./fixtures.generated.js";
import { CONNECTION, TestClock, TestSocket } from "./sockets.js";

const ID = conversationState1.conversation.id;
const SEQ = conversationState1.conversation.seq;

let clock = new TestClock();
let states: LineState[] = [];
let taken: ConversationFrame[] = [];
let failures: ApiError[] = [];
let probe: () => Promise<unknown> = () => Promise.resolve();

beforeEach(() => {
  clock = new TestClock();
  [states, taken, failures, TestSocket.made] = [[], [], [], []];
  probe = () => Promise.resolve();
});

function stream(): EventStream {
  const changed = (state: LineState): number => states.push(state);
  return new EventStream(CONNECTION, { probe: () => probe(), changed, clock });
}

const listener = {
  take: (frame: ConversationFrame): number => taken.push(frame),
  fail: (error: ApiError): number => failures.push(error),
};

/** A line on which a conversation is followed up to its newest event. */
function followed(): EventStream {
  const line = stream();
  line.follow(ID, listener);
  TestSocket.last.accept();
  TestSocket.last.say(snapshot1);
  TestSocket.last.say(caughtUp1);
  return line;
}

/** What was asked for last. */
function asked(): unknown {
  return TestSocket.last.sent.at(-1);
}

test("a line opens with hello and asks for what is followed", () => {
  followed();
  assert.equal(TestSocket.last.url, "ws://127.0.0.1:8888/user/me/bestchat/api/events?token=secret");
  assert.deepEqual(TestSocket.last.sent, [
    { type: "hello", protocol: 1 },
    { type: "subscribe", conversation_id: ID, after: null, draft: null },
  ]);
  assert.deepEqual(taken, [snapshot1, caughtUp1]);
});

test("nothing is connected until somebody follows", () => {
  stream();
  assert.deepEqual(TestSocket.made, []);
});

test("after a cut it asks for exactly what is missing", () => {
  followed();
  const delta = { ...delta1, message_id: "m", first: 1, n: 3, part: 0, attempt: 2 };
  TestSocket.last.say(delta);
  TestSocket.last.end();
  clock.pass(100);
  TestSocket.last.accept();
  const draft = { message_id: "m", part: 0, n: 3, attempt: 2 };
  assert.deepEqual(asked(), { type: "subscribe", conversation_id: ID, after: SEQ, draft });
  TestSocket.last.say(delta);
  assert.equal(taken.length, 3, "a piece that was had before is not told again");
});

test("the pauses between attempts grow, are jittered, and begin anew after success", () => {
  followed();
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 9; attempt += 1) {
    const made = TestSocket.made.length;
    TestSocket.last.end();
    const state = states.at(-1);
    assert.ok(state?.kind === "waiting");
    pauses.push(state.until - clock.now());
    clock.pass(state.until - clock.now());
    assert.equal(TestSocket.made.length, made + 1);
  }
  const most = [100, 300, 1000, 2000, 4000, 8000, 15000, 15000, 15000];
  assert.deepEqual(pauses, most.map((pause) => pause * 0.75));
  TestSocket.last.accept();
  TestSocket.last.say(caughtUp1);
  TestSocket.last.end();
  assert.deepEqual(states.at(-1), { kind: "waiting", until: clock.now() + 75, error: null });
});

for (const [code, comesBack] of [
  [1001, true],
  [1006, true],
  [1012, true],
  [4408, true],
  [4503, true],
  [4400, false],
  [4401, false],
  [4426, false],
] as const) {
  test(`the closing code ${String(code)} ${comesBack ? "asks to come" : "rules out coming"} back`, () => {
    followed();
    TestSocket.last.end(code);
    clock.pass(60_000);
    assert.equal(TestSocket.made.length > 1, comesBack);
    if (!comesBack) {
      const state = states.at(-1);
      assert.ok(state?.kind === "closed");
      assert.notEqual(state.error.hint, "");
    }
  });
}

test("why no line comes about is asked over HTTP, and a refusal ends the attempts", async () => {
  const info = { code: "not_authenticated", kind: "denied", text: "Who are you?" } as const;
  probe = () => Promise.reject(new ApiError(info));
  stream().follow(ID, listener);
  TestSocket.last.end();
  await new Promise(setImmediate);
  assert.deepEqual(states.at(-1), { kind: "closed", error: new ApiError(info) });
  clock.pass(60_000);
  assert.equal(TestSocket.made.length, 1);
});

test("a server that is not there is waited for, and the reason is told", async () => {
  const info = { code: "unavailable", kind: "unavailable", text: "Down." } as const;
  probe = () => Promise.reject(new ApiError(info));
  stream().follow(ID, listener);
  TestSocket.last.end();
  await new Promise(setImmediate);
  const state = states.at(-1);
  assert.ok(state?.kind === "waiting" && state.error?.code === "unavailable");
  clock.pass(60_000);
  assert.ok(TestSocket.made.length > 2);
});

test("somebody who cannot wait is connected at once, also after an end for good", () => {
  const line = followed();
  TestSocket.last.end(4401);
  line.wake();
  assert.equal(TestSocket.made.length, 2);
  assert.equal(states.at(-1)?.kind, "connecting");
});

test("a silent line is asked, and given up if it does not answer", () => {
  followed();
  clock.pass(30_000);
  assert.deepEqual(asked(), { type: "ping" });
  TestSocket.last.say({ type: "heartbeat", seqs: { [ID]: SEQ } });
  clock.pass(29_999);
  assert.equal(TestSocket.made.length, 1);
  clock.pass(1 + 9_999);
  assert.equal(TestSocket.made.length, 1);
  clock.pass(1 + 100);
  assert.equal(TestSocket.made.length, 2);
});

test("a gap in the pieces and an event too far are asked for again", () => {
  followed();
  const before = TestSocket.last.sent.length;
  TestSocket.last.say({ ...delta1, message_id: "m", first: 2, n: 2 });
  assert.equal(TestSocket.last.sent.length, before + 1);
  TestSocket.last.say({ ...delta1, message_id: "m", first: 3, n: 3 });
  assert.equal(TestSocket.last.sent.length, before + 1, "it is on its way already");
  TestSocket.last.say(caughtUp1);
  TestSocket.last.say({ ...conversationRenamed1, seq: SEQ + 2 });
  assert.equal(TestSocket.last.sent.length, before + 2);
  assert.equal(taken.length, 3, "nothing of it was told");
});

test("what a heartbeat knows and nobody told is asked for", () => {
  followed();
  TestSocket.last.say({ type: "heartbeat", seqs: { [ID]: SEQ + 1 } });
  assert.deepEqual(asked(), { type: "subscribe", conversation_id: ID, after: SEQ, draft: null });
});

test("an event that comes twice is told once", () => {
  followed();
  TestSocket.last.say({ ...messageAdded1, seq: SEQ + 1 });
  TestSocket.last.say({ ...messageAdded1, seq: SEQ + 1 });
  TestSocket.last.say({ ...conversationCreated1 });
  assert.equal(taken.length, 3);
});

test("the deletion is told, whatever its number", () => {
  followed();
  TestSocket.last.say({ ...messageAdded1, seq: SEQ + 9, event: { type: "conversation_deleted" } });
  assert.equal(taken.at(-1)?.type, "event");
});

test("a subscription that the server ends is told to its follower and not asked for again", () => {
  followed();
  const error = { code: "not_found", kind: "missing", text: "There is no such object." };
  TestSocket.last.say({ type: "error", error, conversation_id: ID });
  assert.deepEqual(failures.map(({ code }) => code), ["not_found"]);
  TestSocket.last.end();
  clock.pass(60_000);
  assert.equal(TestSocket.made.length, 1, "nobody needs a line");
});

test("what the server cannot tell just then is asked for again, with growing pauses", () => {
  followed();
  const error = { code: "unavailable", kind: "unavailable", text: "The database is busy." };
  const before = TestSocket.last.sent.length;
  for (const [failed, pause] of [75, 225, 750].entries()) {
    TestSocket.last.say({ type: "error", error, conversation_id: ID });
    TestSocket.last.say({ type: "heartbeat", seqs: { [ID]: SEQ + 1 } });
    clock.pass(pause - 1);
    assert.equal(TestSocket.last.sent.length, before + failed);
    clock.pass(1);
    assert.equal(TestSocket.last.sent.length, before + failed + 1);
    assert.deepEqual(asked(), { type: "subscribe", conversation_id: ID, after: SEQ, draft: null });
  }
  assert.deepEqual(failures.map(({ code }) => code), Array<string>(3).fill("unavailable"));
  TestSocket.last.say(caughtUp1);
  TestSocket.last.say({ type: "error", error, conversation_id: ID });
  clock.pass(75);
  assert.equal(TestSocket.last.sent.length, before + 4, "after success the pauses begin anew");
});

test("what is followed no more is not asked for again", () => {
  const line = stream();
  const unfollow = line.follow(ID, listener);
  TestSocket.last.accept();
  const error = { code: "unavailable", kind: "unavailable", text: "The database is busy." };
  TestSocket.last.say({ type: "error", error, conversation_id: ID });
  unfollow();
  const before = TestSocket.last.sent.length;
  clock.pass(20_000);
  assert.equal(TestSocket.last.sent.length, before);
});

test("a line that nobody needs is let go after a while", () => {
  const line = stream();
  const unfollow = line.follow(ID, listener);
  TestSocket.last.accept();
  unfollow();
  assert.deepEqual(asked(), { type: "unsubscribe", conversation_id: ID });
  clock.pass(29_000);
  TestSocket.last.say({ type: "heartbeat", seqs: {} });
  clock.pass(29_000);
  TestSocket.last.say({ type: "heartbeat", seqs: {} });
  assert.equal(line.state.kind, "open");
  clock.pass(2_000);
  assert.equal(line.state.kind, "idle");
  line.follow(ID, listener);
  assert.equal(TestSocket.made.length, 2);
});
