/** What is decided about texts: blocks, attachments, differences, prices, names. */

import assert from "node:assert/strict";
import test from "node:test";

import { diffLines } from "../src/context/diff.js";
import { compose, takeApart } from "../src/conversation/attachments.js";
import { costOf, dollars, tokens } from "../src/conversation/cost.js";
import { redacted } from "../src/conversation/redaction.js";
import { splitBlocks } from "../src/ui/markdown/blocks.js";
import type { ModelFacts, ProviderInfo } from "../src/conversation/catalog.js";
import { shortLabel } from "../src/ui/labels.js";
import { standingOf } from "../src/ui/settings/standing.js";
import { noSecrets, secrets } from "./fixtures.generated.js";

function blocks(source: string): string[] {
  return splitBlocks(source).map(({ kind, text, language }) =>
    kind === "code" ? `${language}|${text}` : text,
  );
}

test("paragraphs, lists and code are blocks of their own", () => {
  const source = "One\nline\n\nTwo\n\n- a\n\n- b\n  more\n\nEnd\n```py\nx = 1\n\ny = 2\n```\nafter";
  assert.deepEqual(blocks(source), [
    "One\nline",
    "Two",
    "- a\n\n- b\n  more",
    "End",
    "py|x = 1\n\ny = 2",
    "after",
  ]);
});

test("formulas with empty lines, longer fences and open ones stay whole", () => {
  assert.deepEqual(blocks("$$\na\n\nb\n$$\n\nc"), ["$$\na\n\nb\n$$", "c"]);
  assert.deepEqual(blocks("````md\n```\nx\n```\n````"), ["md|```\nx\n```"]);
  const [open] = splitBlocks("~~~\nx");
  assert.deepEqual([open?.kind, open?.text, open?.closed], ["code", "x", false]);
});

test("what has been cut before stays as it was while a text grows", () => {
  const source = "# A\n\npara **b**\n\n1. x\n2. y\n\n```js\nlet a\n```\n\nend [l]";
  for (let length = 1; length < source.length; length += 1) {
    const [now, later] = [blocks(source.slice(0, length)), blocks(source.slice(0, length + 1))];
    assert.deepEqual(later.slice(0, now.length - 1), now.slice(0, -1), source.slice(0, length));
  }
});

test("links that are defined at the end are known before", () => {
  assert.equal(blocks("see [x]\n\nmore\n\n[x]: https://example.org")[0], "see [x]\n\n[x]: https://example.org");
});

test("what goes along is found again in the message, whatever is in it", () => {
  const attachments = [
    { kind: "cell", name: "3", content: "a = `1`\n```\nfence\n```\n\n---\nAttached cell `9`:" },
    { kind: "error", name: "KeyError", content: "" },
  ];
  assert.deepEqual(takeApart(compose("Why?", attachments)), { text: "Why?", attachments });
  assert.deepEqual(takeApart("no more"), { text: "no more", attachments: [] });
});

test("what looks like something that goes along, and is not, stays text", () => {
  const begun = "\n\n---\nAttached a `b`:\n```text\nno end";
  assert.deepEqual(takeApart(`Look.${begun}`), { text: `Look.${begun}`, attachments: [] });
  const whole = compose(`Look.${begun}`, [{ kind: "cell", name: "2", content: "x = 1" }]);
  assert.deepEqual(takeApart(whole).attachments.at(-1)?.kind, "a"); // it swallows what stands behind it
  assert.deepEqual(takeApart("Look.\n\n---\nAttached to this: nothing.").attachments, []);
});

test("no text keeps the panel busy", { timeout: 20_000 }, () => {
  const begun = "\n\n---\nAttached a `b`:\n```t\n".repeat(40_000);
  assert.equal(takeApart(begun).attachments.length, 0);
  const links = "[a]:b\n".repeat(20_000) + "\n" + "[a\n\n".repeat(20_000);
  assert.ok(lengthOf(links) < 2 * links.length);
  const long = `[a]: ${"b".repeat(100_000)}\n\n` + "[a]\n\n".repeat(20_000);
  assert.ok(lengthOf(long) < 2 * long.length);
  const some = `[a]: ${"b".repeat(1000)}\n\n` + "[a]\n\n".repeat(20_000);
  assert.ok(lengthOf(some) < some.length + 300_000);
  assert.equal(splitBlocks(`a ${"`".repeat(1_000_000)}`).length, 1);
});

function lengthOf(source: string): number {
  return splitBlocks(source).reduce((sum, { text }) => sum + text.length, 0);
}

test("a diagram inside of something else stays text", () => {
  for (const before of ["  ", "- ", "> ", "$$\n", "- x\n\n  ", "1. > \t"]) {
    for (const fence of ["```mermaid", "~~~~ \t MerMaid"]) {
      const [block] = splitBlocks(`${before}${fence}\nA\n${fence.slice(0, 4).trim()}`);
      assert.equal(block?.kind, "prose");
      assert.doesNotMatch(block.text, /[`~]\s*mermaid/i);
    }
  }
});

test("a difference keeps what is the same in place", () => {
  const told = diffLines("a\nb\nc", "a\nx\nc\nd").map(({ kind, text }) => `${kind} ${text}`);
  assert.deepEqual(told, ["same a", "removed b", "added x", "same c", "added d"]);
});

test("prices follow the cache, and unknown ones are none", () => {
  const prices = { input: "1", output: "5", cache_read: "0.1" };
  const usage = { input_tokens: 1_000_000, output_tokens: 100_000, cached_tokens: 500_000 };
  assert.equal(costOf(usage, prices), 0.5 + 0.05 + 0.5);
  assert.equal(costOf(usage, { input: "1" }), null);
  assert.deepEqual([0, 0.00123, 0.5, 12].map(dollars), ["$0", "$0.0012", "$0.50", "$12.00"]);
  assert.deepEqual([812, 1000, 12_345, 400_000, 1_200_000].map(tokens), ["812", "1k", "12.3k", "400k", "1.2M"]);
});

test("the panel leaves out the secrets that the kernel leaves out, and no more", () => {
  for (const [text, sent] of secrets) {
    assert.equal(redacted(text), sent);
    assert.equal(redacted(sent), sent);
  }
  for (const text of noSecrets) {
    assert.equal(redacted(text), text);
  }
});

test("no secret goes along with a message; what is written stays", () => {
  const content = "client = Client(password='hunter2')";
  const message = compose("My password='x y'", [{ kind: "cell", name: "3", content }]);
  assert.deepEqual(takeApart(message), {
    text: "My password='x y'",
    attachments: [{ kind: "cell", name: "3", content: "client = Client(password='[redacted]')" }],
  });
});

test("no text keeps the search for secrets busy", { timeout: 20_000 }, () => {
  for (const piece of ["_", "a_", "password='", "x://a:a@", "-----BEGIN ", "a="]) {
    redacted(piece.repeat(24_000 / piece.length));
  }
});

test("of a path, a label shows the file's name; other labels stay whole", () => {
  assert.equal(shortLabel("/home/ada/work/sales.ipynb"), "sales.ipynb");
  assert.equal(shortLabel("C:\\work\\sales.ipynb"), "sales.ipynb");
  assert.equal(shortLabel("reports/sales.ipynb"), "sales.ipynb");
  assert.equal(shortLabel("either/or"), "either/or");
  assert.equal(shortLabel(""), "");
});

test("a provider is called ready only where something speaks for it", () => {
  const bare = { name: "ollama", configured: true, permitted: true, source: "" } as ProviderInfo;
  const model: ModelFacts = { ref: "ollama/tiny" };
  assert.equal(standingOf(bare, [], null), "unasked");
  assert.equal(standingOf(bare, [{ ref: "ollama2/tiny" }], null), "unasked");
  assert.equal(standingOf(bare, [{ ...model, ready: false }], null), "unasked");
  assert.equal(standingOf(bare, [model], null), "ready");
  assert.equal(standingOf(bare, [model], false), "failed");
  assert.equal(standingOf(bare, [], true), "ready");
  assert.equal(standingOf({ ...bare, source: "user" }, [], null), "ready");
  assert.equal(standingOf({ ...bare, source: "user" }, [], false), "failed");
  assert.equal(standingOf({ ...bare, permitted: false }, [model], true), "missing");
  assert.equal(standingOf({ ...bare, configured: false }, [], null), "missing");
});
