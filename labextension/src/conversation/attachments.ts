/**
 * What goes along with a message, in the message's own text: the same form as `%%chat` uses. Pure.
 *
 * So a conversation says by itself what was sent, whichever face shows it; ours folds it.
 */

import { redacted } from "./redaction.js";

export interface Attachment {
  /** What kind of thing it is: `variable`, `cell`, `notebook`, `selection`, `error`, `file`, `page`, … */
  kind: string;
  name: string;
  content: string;
}

const OPENING = /\n\n---\nAttached ([a-z ]+) `([^`\n]*)`:\n(`{3,99})\w*\n/y;
const NEXT = "\n\n---\nAttached ";

/**
 * The text of a message: what was written, then one block for each thing that goes along, without
 * what looks like a secret. What somebody writes themselves is theirs to say.
 */
export function compose(text: string, attachments: readonly Attachment[]): string {
  return text + attachments.map(block).join("");
}

function block({ kind, name, content: whole }: Attachment): string {
  const content = redacted(whole);
  const longest = Math.max(0, ...(content.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  const shown = name.replaceAll(/[`\n]/g, "'");
  return `\n\n---\nAttached ${kind} \`${shown}\`:\n${fence}text\n${content}\n${fence}`;
}

/** A message's text taken apart again, in a time that grows with its length, whoever has written it. */
export function takeApart(text: string): { text: string; attachments: Attachment[] } {
  const attachments: Attachment[] = [];
  const unclosed = new Set<string>();
  const written = text.trimEnd();
  let [rest, from] = ["", 0];
  for (let at = text.indexOf(NEXT); at >= 0; at = text.indexOf(NEXT, Math.max(at + 1, from))) {
    OPENING.lastIndex = at;
    const [opening = "", kind = "", name = "", fence = ""] = OPENING.exec(text) ?? [];
    const begin = at + opening.length;
    const end = opening === "" || unclosed.has(fence) ? -1 : closing(written, fence, begin);
    if (end >= 0) {
      attachments.push({ kind, name, content: text.slice(begin, end) });
      rest += text.slice(from, at);
      from = end + 1 + fence.length;
    } else if (opening !== "") {
      unclosed.add(fence);
    }
  }
  return { text: rest + text.slice(from), attachments };
}

/** Where a fence is closed: before the next thing that goes along, or at the end. */
function closing(text: string, fence: string, begin: number): number {
  const before = text.indexOf(`\n${fence}${NEXT}`, begin);
  const last = text.length - fence.length - 1;
  const ends = last >= begin && text.endsWith(`\n${fence}`);
  return before < 0 && ends ? last : before;
}
