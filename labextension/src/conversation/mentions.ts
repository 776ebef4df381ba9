/** What is mentioned in a text with `@`, and what is being written where the cursor is. Pure. */

/** Kinds whose names say what is meant: `@cell:3`, `@file:a.csv`. Other names are variables. */
const KINDS = "cell|file|url|conversation";

const NAME = String.raw`[\p{L}_][\p{L}\p{N}_]*`;
const MENTION = new RegExp(
  String.raw`(?<=^|\s)@((?:${KINDS}):(?:"[^"\n]+"|[^\s"\u0060]+)|${NAME})`,
  "gu",
);
const FENCE = /^ {0,3}(`{3,}|~{3,})[^\n]*(?:\n[\s\S]*?(?:\n {0,3}\1[`~]*[ \t]*$|(?![\s\S]))|$)/gm;
const CODE = /(?<!`)(`+)(?!`)(?:(?!\n\n)[\s\S])*?(?<!`)\1(?!`)/g;
/** What stands behind a name that is a part of something else: `@app.route`, `@cache(…)`. */
const BELONGS = /^(?:\(|\.[\p{L}_])/u;
const DECORATES = /^[^\S\n]*\n\s*(?:@[^\n]*\s+)*(?:async\s+def|def|class)\s+\w/u;
/** Characters behind a name that are looked at. */
const MOST_BEHIND = 500;
/** What ends a sentence, and no path. */
const PUNCTUATION = /[.,;:!?)\]]+$/;

/** The names that are mentioned, each once, in the order of their first mention. */
export function mentionsIn(text: string): string[] {
  const prose = masked(masked(text, FENCE), CODE);
  const names: string[] = [];
  for (const found of prose.matchAll(MENTION)) {
    const written = found[1] ?? "";
    const end = found.index + found[0].length;
    const after = prose.slice(end, end + MOST_BEHIND);
    const plain = !written.includes(":");
    if (!(plain && (BELONGS.test(after) || decorates(prose, found.index, after)))) {
      names.push(nameIn(written));
    }
  }
  return [...new Set(names)];
}

function decorates(text: string, at: number, after: string): boolean {
  const before = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  return before.trim() === "" && DECORATES.test(after);
}

/** A name as it is meant, of one that is written or being written: without quotes, and without the end of the sentence. */
export function nameIn(written: string): string {
  const quoted = /^(\w+:)"([^"]+)"$/.exec(written);
  return quoted === null ? withoutEnd(written) : `${quoted[1] ?? ""}${quoted[2] ?? ""}`;
}

/** Without the end of the sentence; an address that ends in `C_(language)` is whole. */
function withoutEnd(written: string): string {
  const bare = written.replace(PUNCTUATION, "");
  const open = bare.split("(").length > bare.split(")").length;
  return open && written.startsWith(")", bare.length) ? `${bare})` : bare;
}

/** Code in a text, out of the way; every position stays what it was. */
function masked(text: string, code: RegExp): string {
  return text.replaceAll(code, (found) => found.replaceAll(/[^\n]/g, "`"));
}

/** What the cursor stands in or behind, and what can be completed. */
export interface Trigger {
  readonly kind: "mention" | "command" | "argument";
  /** The command whose argument it is. */
  readonly command: string;
  /** Where in the text the part begins that is completed. */
  readonly start: number;
  readonly end: number;
  /** What is written of it. */
  readonly begun: string;
}

const COMMAND = /^\/([\w-]*)$/;
const ARGUMENT = /^\/([\w-]+) ([^\n]*)$/;
const BEGUN = new RegExp(String.raw`(?:^|\s)@((?:${KINDS}):(?:"[^"\n]*|[^\s"\u0060]*)|[\p{L}\p{N}_]*)$`, "u");

/** What can be completed where the cursor is. */
export function triggerAt(text: string, caret: number): Trigger | null {
  const before = text.slice(0, caret);
  const command = COMMAND.exec(before);
  if (command !== null && !/^\S/.test(text.slice(caret))) {
    return { kind: "command", command: "", start: 0, end: caret, begun: command[1] ?? "" };
  }
  const argument = ARGUMENT.exec(before);
  if (argument !== null) {
    const [, name = "", begun = ""] = argument;
    return { kind: "argument", command: name, start: caret - begun.length, end: caret, begun };
  }
  const mention = BEGUN.exec(masked(masked(before, FENCE), CODE));
  if (mention === null) {
    return null;
  }
  const written = mention[1] ?? "";
  const begun = written.replace('"', "");
  return { kind: "mention", command: "", start: caret - written.length - 1, end: caret, begun };
}

/** How a mention is written. */
export function written(name: string, open = false): string {
  const [kind, ...rest] = name.split(":");
  const path = rest.join(":");
  const quoted = /\s/.test(path) ? `${kind ?? ""}:"${path}${open ? "" : '"'}` : name;
  return `@${quoted}${open ? "" : " "}`;
}

/** A message that is a command, taken apart; none if it is not one. */
export function commandIn(text: string): { name: string; argument: string } | null {
  const found = /^\/([a-z][\w-]*)(?:[^\S\n]+([^\n]*))?$/.exec(text.trim());
  return found === null ? null : { name: found[1] ?? "", argument: (found[2] ?? "").trim() };
}
