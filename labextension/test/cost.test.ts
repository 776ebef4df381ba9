/** What tokens cost, how full a window is, and what the site has decided. */

import assert from "node:assert/strict";
import test from "node:test";

import { dollars, spentIn, tokens, windowUse } from "../src/conversation/cost.js";
import { siteOf } from "../src/conversation/site.js";
import type { Message } from "../src/conversation/state.js";

function message(id: string, model: string | null, usage: Message["usage"] = null): Message {
  const parts: Message["parts"] = [{ type: "text", text: id }];
  return { id, parent_id: null, role: "assistant", parts, created_at: "", turn_id: id, model, usage };
}

const PRICES = { input: "1", output: "10", cache_read: "0.1" };
const dear = (model: string) => (model === "a/dear" ? PRICES : null);

test("a conversation costs what all its answers cost, each at its own model's prices", () => {
  const usage = { input_tokens: 1000, output_tokens: 100, cached_tokens: 500 };
  const messages = { one: message("one", "a/dear", usage), two: message("two", "a/dear", usage) };
  const spent = spentIn({ ...messages, said: message("said", null) }, dear);
  assert.equal(spent.tokens, 2200);
  assert.equal(dollars(spent.dollars), "$0.0031");
  assert.equal(spent.more, false);
});

test("answers without a price are counted in tokens, and said to have cost more", () => {
  const messages = { one: message("one", "a/unknown", { input_tokens: 5, output_tokens: 5 }) };
  assert.deepEqual(spentIn(messages, dear), { tokens: 10, dollars: 0, more: true });
});

test("a window is as full as the last request and its answer were long", () => {
  const usage = { input_tokens: 900, output_tokens: 100 };
  assert.equal(windowUse([message("q", null), message("a", "a/b", usage), message("r", null)]), 1000);
  assert.equal(windowUse([message("q", null)]), 0);
  assert.equal(tokens(1_000_000), "1M");
});

test("what the site has decided is known by its options", () => {
  const options = [
    ["allow_user_keys", "false"],
    ["allow_pages", "false"],
    ["help_url", "https://help.example/"],
    ["keep_deleted_days", "3"],
    ["allowed_models", "openai/*, local/*"],
    ["max_cost", ""],
  ].map(([name = "", value = ""]) => ({ name, value, origin: "default", description: "" }));
  assert.deepEqual(siteOf(options), {
    userKeys: false,
    pages: false,
    helpUrl: "https://help.example/",
    keepDeletedDays: 3,
    rules: { allowed_models: "openai/*, local/*" },
  });
});
