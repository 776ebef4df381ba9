/** The API through a widget's comm: calls and lines, with the kernel's side in the test. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Client } from "../src/api/client.js";
import { ApiError } from "../src/api/errors.js";
import { EventStream, type Listener } from "../src/api/stream.js";
import { CommDoor } from "../src/widget/comm.js";
import type { WidgetModel } from "../src/widget/model.js";

type Message = Record<string, string>;

/** The model of a widget, and the kernel behind it. */
class Kernel {
  readonly sent: Message[] = [];
  #hear: (content: unknown) => void = () => undefined;

  readonly model = {
    on: (_: string, hear: (content: unknown) => void) => {
      this.#hear = hear;
    },
    off: () => {
      this.#hear = () => undefined;
    },
    send: (content: Message) => {
      this.sent.push(content);
    },
  } as unknown as WidgetModel;

  say(content: unknown): void {
    this.#hear(content);
  }

  /** What was sent last through that part of the door. */
  last(door: string): Message {
    const found = this.sent.findLast((message) => message["door"] === door);
    assert.ok(found !== undefined);
    return found;
  }
}

/** What kind of frame a message carries. */
function typeOf(message: Message): string {
  return (JSON.parse(message["text"] ?? "") as { type: string }).type;
}

test("a call is answered, whichever answer comes first", async () => {
  const kernel = new Kernel();
  const client = new Client(new CommDoor(kernel.model).connection);
  const first = client.call("conversations.create", { title: "one" });
  const second = client.call("conversations.create", { title: "two" });
  const [one, two] = kernel.sent;
  assert.equal(one?.["name"], "conversations.create");
  assert.deepEqual(JSON.parse(one["body"] ?? ""), { title: "one" });
  assert.notEqual(one["key"], two?.["key"]);
  kernel.say({ door: "answer", id: two?.["id"], status: 200, body: '{"title": "two"}' });
  kernel.say({ door: "answer", id: one["id"], status: 200, body: '{"title": "one"}' });
  assert.deepEqual([(await first).title, (await second).title], ["one", "two"]);
});

test("what goes wrong at the kernel goes wrong here", async () => {
  const kernel = new Kernel();
  const client = new Client(new CommDoor(kernel.model).connection);
  const call = client.call("system.whoami", {});
  const body = JSON.stringify({ error: { code: "not_allowed", kind: "denied", text: "No." } });
  kernel.say({ door: "answer", id: kernel.last("call")["id"], status: 400, body });
  await assert.rejects(call, (error) => error instanceof ApiError && error.code === "not_allowed");
});

test("a line follows, and comes back where the kernel knows it no more", async () => {
  const kernel = new Kernel();
  const door = new CommDoor(kernel.model);
  const heard: string[] = [];
  const stream = new EventStream(door.connection, {
    probe: () => Promise.resolve(),
    changed: () => undefined,
  });
  const listener: Listener = {
    take: (frame) => void heard.push(frame.type),
    fail: () => void heard.push("failed"),
  };
  stream.follow("c1", listener);
  await Promise.resolve();
  const welcome = JSON.stringify({ type: "welcome", protocol: 1, version: "1" });
  const line = kernel.last("frame")["line"];
  assert.equal(typeOf(kernel.last("frame")), "hello");
  kernel.say({ door: "frames", line, frames: [welcome] });
  assert.equal(typeOf(kernel.last("frame")), "subscribe");
  const caughtUp = JSON.stringify({ type: "caught_up", conversation_id: "c1", seq: 1 });
  kernel.say({ door: "frames", line: "of another page", frames: [caughtUp] });
  kernel.say({ door: "frames", line, frames: [caughtUp] });
  assert.deepEqual(heard, ["caught_up"]);
  const before = kernel.sent.length;
  kernel.say({ door: "closed", line });
  while (!kernel.sent.slice(before).some((message) => message["door"] === "frame")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.notEqual(kernel.last("frame")["line"], line);
  assert.equal(typeOf(kernel.last("frame")), "hello");
  stream.dispose();
  assert.equal(kernel.last("hang_up")["door"], "hang_up");
  door.dispose();
});

test("whether the kernel is there is known once it has said something", () => {
  const kernel = new Kernel();
  const door = new CommDoor(kernel.model);
  assert.equal(door.view, "unheard");
  kernel.say({ door: "closed", line: "gone" });
  assert.equal(door.view, "ready");
  door.dispose();
});
