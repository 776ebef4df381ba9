/**
 * Follows answers of a real server through a line that is cut at random bytes. Run by
 * `tests/web/test_browser_client.py`, which starts the server; prints what it has seen as JSON.
 *
 * BESTCHAT_URL, BESTCHAT_TOKEN: the server. BESTCHAT_SEED: where to cut.
 */

import assert from "node:assert/strict";

import { Client } from "../src/api/client.js";
import type { Connection } from "../src/api/connection.js";
import { uuid7 } from "../src/api/ids.js";
import type { ConversationFrame } from "../src/api/position.js";
import { CLOCK, EventStream } from "../src/api/stream.js";
import { ConversationModel } from "../src/conversation/model.js";
import { activeTurn, textOf } from "../src/conversation/state.js";
import { Cutter, randomFrom } from "./cutter.js";

const { BESTCHAT_URL = "", BESTCHAT_TOKEN = "", BESTCHAT_SEED = "1" } = process.env;

const CUTS = 40;
const MOST_BYTES = 5000;

/** Refuses what the protocol rules out: an event that comes twice or too early, a piece likewise. */
class StrictModel extends ConversationModel {
  pieces = 0;
  #n = 0;
  #part = "";

  override take(frame: ConversationFrame): void {
    const seq = this.view.state?.conversation.seq ?? 0;
    if (frame.type === "event") {
      assert.equal(frame.seq, seq + 1, "each event once and in order");
    }
    if (frame.type === "delta") {
      const part = [frame.message_id, frame.attempt ?? 1, frame.part].join();
      assert.equal(frame.first, part === this.#part ? this.#n + 1 : 1, "no gap, no piece twice");
      [this.#part, this.#n] = [part, frame.n];
      this.pieces += 1;
    }
    if (frame.type === "snapshot") {
      [this.#part, this.#n] = ["", 0];
    }
    super.take(frame);
  }
}

const direct: Connection = {
  baseUrl: BESTCHAT_URL,
  wsUrl: BESTCHAT_URL.replace(/^http/, "ws"),
  token: BESTCHAT_TOKEN,
  appendToken: true,
  fetch,
  WebSocket,
};

const client = new Client(direct);
const random = randomFrom(Number(BESTCHAT_SEED));
const cutter = new Cutter(Number(new URL(BESTCHAT_URL).port), random, MOST_BYTES, CUTS);
const port = await cutter.open();
const wsUrl = direct.wsUrl.replace(/:\d+\//, `:${String(port)}/`);
const stream = new EventStream(
  { ...direct, wsUrl },
  {
    probe: () => client.call("system.whoami", {}),
    changed: () => undefined,
    clock: { ...CLOCK, later: (pause, action) => CLOCK.later(hurried(pause), action) },
  },
);

/** The same pauses, a hundred times as fast; what the server is given to answer, only five times:
 * on a busy machine a welcome may take more than a tenth of a second. */
function hurried(pause: number): number {
  return pause < 10_000 ? pause / 100 : pause / 5;
}

const { id } = await client.call("conversations.create", { conversation_id: uuid7() });
const model = new StrictModel(id, stream);
const heard: string[] = [];
let growing = "";
model.changed.connect((_, view) => {
  if (view.draft !== null && view.draft.parts.length > 0) {
    growing = view.draft.parts.map(({ text }) => text).join("");
  }
});

/** The turn of a request has ended, and everything of it was told. */
function ended(requestId: string): Promise<string> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { state } = model.view;
      const turn = Object.values(state?.turns ?? {}).find((one) => one.request_id === requestId);
      if (state !== null && turn !== undefined && activeTurn(state) === null) {
        model.changed.disconnect(look);
        resolve(turn.id);
      }
    };
    model.changed.connect(look);
    look();
  });
}

while (cutter.cuts < CUTS) {
  const request_id = uuid7();
  const over = ended(request_id);
  growing = "";
  const { turn_id } = await client.call("turns.start", {
    conversation_id: id,
    request_id,
    text: "Again.",
    model: "scripted/story",
  });
  assert.equal(await over, turn_id);
  const answer = Object.values(model.view.state?.messages ?? {}).at(-1);
  assert.ok(answer?.role === "assistant");
  assert.ok(textOf(answer).startsWith(growing), "what was streamed is the beginning of what is stored");
  heard.push(textOf(answer));
}

const stored = await client.call("conversations.get", { conversation_id: id });
assert.deepEqual(Object.keys(model.view.state?.messages ?? {}), Object.keys(stored.messages));
assert.equal(model.view.state?.conversation.seq, stored.conversation.seq);
stream.dispose();
cutter.close();
console.log(JSON.stringify({ cuts: cutter.cuts, pieces: model.pieces, texts: [...new Set(heard)] }));
