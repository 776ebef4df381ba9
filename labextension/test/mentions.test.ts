/** What is mentioned in a text, and what is being written. */

import assert from "node:assert/strict";
import test from "node:test";

import type { INotebookTracker } from "@jupyterlab/notebook";
import type { TranslationBundle } from "@jupyterlab/translation";

import { ending } from "../src/context/conversations.js";
import { KernelVariables } from "../src/context/variables.js";
import { compose } from "../src/conversation/attachments.js";
import { commandIn, mentionsIn, triggerAt, written } from "../src/conversation/mentions.js";

const MENTIONED: [text: string, names: string[]][] = [
  ["What is in @df?", ["df"]],
  ["@df and @größe, @df again.", ["df", "größe"]],
  ["Compare @cell:3, @cell:12.", ["cell:3", "cell:12"]],
  ["Read @file:data/sales.csv.", ["file:data/sales.csv"]],
  ['Read @file:"my data/a b.csv" now', ["file:my data/a b.csv"]],
  ["Read @url:https://example.org/a?b=c#d.", ["url:https://example.org/a?b=c#d"]],
  ["(@url:https://example.org/C_(language).)", []],
  ["see @url:https://example.org/C_(language).", ["url:https://example.org/C_(language)"]],
  ['As in @conversation:"About rivers"?', ["conversation:About rivers"]],
  ["mail me@home.example, or a@b", []],
  ["use @app.route and @cache(1)", []],
  ["ends with @df.", ["df"]],
  ["code `@x` and ``a ` @y`` only @z", ["z"]],
  ["```py\n@dataclass\nclass A:\n    x = df.query('a > @x')\n```\nand @df", ["df"]],
  ["~~~\n@inside\n", []],
  ["@dataclass\nclass A: pass", []],
  ["@first\n@second\ndef f(): pass", []],
  ['df.query("a > @x") of @df', ["x", "df"]],
  ["@ alone, @1 and @@df", []],
  ["- @item\n> @quote", ["item", "quote"]],
];

for (const [text, names] of MENTIONED) {
  test(`mentioned in ${JSON.stringify(text)}`, () => {
    assert.deepEqual(mentionsIn(text), names);
  });
}

test("no text takes long to be read", () => {
  for (const piece of ["@", "`", "@a", "``` ", "\n@a", '@file:"', "~~~\n", "@x\n"]) {
    const begun = performance.now();
    mentionsIn(piece.repeat(50_000 / piece.length));
    const took = performance.now() - begun;
    assert.ok(took < 2000, `${JSON.stringify(piece)} took ${String(took)} ms`);
  }
});

function begun(text: string): [string, string] | null {
  const caret = text.indexOf("|");
  const found = triggerAt(text.replace("|", ""), caret === -1 ? text.length : caret);
  return found === null ? null : [found.kind, found.begun];
}

test("what is being written is completed, and nothing else", () => {
  assert.deepEqual(begun("/"), ["command", ""]);
  assert.deepEqual(begun("/he"), ["command", "he"]);
  assert.deepEqual(begun("/he|x"), null);
  assert.deepEqual(begun("/model gpt-5 m"), ["argument", "gpt-5 m"]);
  assert.deepEqual(begun("see /usr"), null);
  assert.deepEqual(begun("@"), ["mention", ""]);
  assert.deepEqual(begun("what is @d|f?"), ["mention", "d"]);
  assert.deepEqual(begun("read @file:data/s"), ["mention", "file:data/s"]);
  assert.deepEqual(begun('read @file:"my data/s'), ["mention", "file:my data/s"]);
  assert.deepEqual(begun("me@home"), null);
  assert.deepEqual(begun("`@x"), null);
  assert.deepEqual(begun("```\n@x"), null);
  assert.deepEqual(begun("done @df "), null);
});

test("what is chosen is written so that it is read again as it was meant", () => {
  for (const name of ["df", "cell:3", "file:a.csv", "file:my data/a b.csv"]) {
    assert.deepEqual(mentionsIn(written(name)), [name]);
  }
  assert.equal(written("file:data/", true), "@file:data/");
  assert.deepEqual(begun(written("file:my data/", true)), ["mention", "file:my data/"]);
});

test("a command is one line that begins with its name", () => {
  assert.deepEqual(commandIn("/model openai/gpt-5 "), { name: "model", argument: "openai/gpt-5" });
  assert.deepEqual(commandIn(" /new"), { name: "new", argument: "" });
  for (const text of ["/usr/bin/env?", "what is /new", "/new\nthen", "/", "//", "/3"]) {
    assert.equal(commandIn(text), null, text);
  }
});

test("where the kernel has no BestChat, a secret is still known by its variable's name", async () => {
  const kernel = {
    requestExecute: ({ user_expressions }: { user_expressions: { told: string } }) => {
      const known = user_expressions.told === "password";
      const told = known ? { status: "ok", data: { "text/plain": "'hunter2'" } } : { status: "error" };
      return { done: Promise.resolve({ content: { status: "ok", user_expressions: { told } } }) };
    },
  };
  const currentWidget = {
    sessionContext: { session: { kernel } },
    content: { model: { defaultKernelLanguage: "python" } },
  };
  const tracker = { currentWidget } as unknown as INotebookTracker;
  const variables = new KernelVariables(tracker, {} as TranslationBundle);
  const mentioned = await variables.resolve("password");
  assert.ok("attachment" in mentioned);
  const sent = compose("What is @password?", [mentioned.attachment]);
  assert.ok(sent.includes("password = '[redacted]'"), sent);
});

test("the end of a conversation begins with a whole character", () => {
  const left = (cut: number) => `[${String(cut)} characters before this are left out] …\n`;
  assert.equal(ending("😀".repeat(25_000)), "😀".repeat(25_000));
  assert.equal(ending("😀".repeat(25_001)), left(2) + "😀".repeat(25_000));
  assert.equal(ending(`${"😀".repeat(25_000)}!`), `${left(2)}${"😀".repeat(24_999)}!`);
});
