/** What is said goes where it was said, in the order in which it was. */

import assert from "node:assert/strict";
import test, { afterEach, beforeEach, mock } from "node:test";

import type { Client } from "../src/api/client.js";
import { ApiError } from "../src/api/errors.js";
import { ConversationManager } from "../src/conversation/manager.js";
import { CONNECTION } from "./sockets.js";

let asked: [string, Record<string, unknown>][] = [];
let refusal: ApiError | null = null;

const client = {
  call(name: string, request: Record<string, unknown>) {
    asked.push([name, request]);
    if (name === "turns.start" && refusal !== null) {
      return Promise.reject(refusal);
    }
    return Promise.resolve(name === "conversations.create" ? { id: request["conversation_id"] } : {});
  },
} as unknown as Client;

function manager(): ConversationManager {
  const kept = new Map<string, string>();
  const memory = {
    get: (name: string) => kept.get(name) ?? "",
    set: (name: string, value: string) => void kept.set(name, value),
  };
  return new ConversationManager(client, CONNECTION, memory);
}

function said(): unknown[][] {
  return asked
    .filter(([name]) => name === "turns.start")
    .map(([, { conversation_id, text, model }]) => [conversation_id, text, model]);
}

beforeEach(() => {
  [asked, refusal] = [[], null];
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] }); // the line would try again for ever
});

afterEach(() => {
  mock.timers.reset();
});

test("a message goes into the conversation in which it was written, to who was chosen then", async () => {
  const chat = manager();
  const first = chat.open("a");
  chat.chooseModel("one/model");
  let ready: () => void = () => undefined;
  const slow = chat.send(
    () =>
      new Promise((resolve) => {
        ready = () => {
          resolve({ text: "slow" });
        };
      }),
  );
  chat.open("b");
  chat.chooseModel("other/model");
  assert.equal(await chat.send(() => ({ text: "elsewhere" })), true); // it waits for nothing in "a"
  assert.equal(chat.open("a"), first); // where it is followed still
  const next = chat.send(() => ({ text: "next" }));
  chat.open("b");
  await new Promise(setImmediate);
  assert.equal(said().length, 1);
  ready();
  assert.deepEqual(await Promise.all([slow, next]), [true, true]);
  assert.deepEqual(said(), [
    ["b", "elsewhere", "other/model"],
    ["a", "slow", "one/model"],
    ["a", "next", "other/model"],
  ]);
  assert.equal(chat.view.current?.id, "b");
  assert.notEqual(chat.open("a"), first);
});

test("where none is open, two messages begin one conversation", async () => {
  const chat = manager();
  const ids: string[] = [];
  const saying = (text: string) => (id: string) => {
    ids.push(id);
    return { text };
  };
  assert.deepEqual(await Promise.all([chat.send(saying("1")), chat.send(saying("2"))]), [true, true]);
  assert.equal(asked.filter(([name]) => name === "conversations.create").length, 1);
  assert.deepEqual(ids, [chat.view.current?.id, chat.view.current?.id]);
  assert.deepEqual(said().map(([, text]) => text), ["1", "2"]);
  const parents = asked.map(([, request]) => request["parent_id"]);
  assert.equal(parents.at(-1), null); // behind the first, of which nothing has been heard yet
});

test("what is refused or cannot be prepared is said, and keeps nobody else", async () => {
  const chat = manager();
  chat.open("a");
  const failing = chat.send(() => Promise.reject(new Error("a source failed")));
  const next = chat.send(() => ({ text: "next" }));
  assert.deepEqual(await Promise.all([failing, next]), [false, true]);
  refusal = new ApiError({ code: "missing_key", text: "No key.", kind: "denied" });
  assert.equal(await chat.send(() => ({ text: "refused" })), false);
  assert.equal(chat.view.error?.message, "No key.");
});

test("a draft is given back where it belongs, before what was written since", () => {
  const { drafts } = manager();
  drafts.set("", "first");
  drafts.begun("a");
  assert.deepEqual([drafts.get(""), drafts.get("a")], ["", "first"]);
  drafts.giveBack("a", "refused");
  assert.equal(drafts.get("a"), "refused\n\nfirst");
  drafts.set("a", "");
  drafts.giveBack("a", "again");
  assert.equal(drafts.get("a"), "again");
});
