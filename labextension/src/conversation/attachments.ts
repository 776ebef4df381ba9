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

const BLOCK = /\n\n---\nAttached ([a-z ]+) `([^`\n]*)`:\n(`{3,})\w*\n([\s\S]*?)\n\3(?=\n\n---\nAttached |\s*$)/g;

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

/** A message's text taken apart again. */
export function takeApart(text: string): { text: string; attachments: Attachment[] } {
  const attachments = Array.from(text.matchAll(BLOCK), ([, kind = "", name = "", , content = ""]) => ({
    kind,
    name,
    content,
  }));
  return { text: attachments.length > 0 ? text.replaceAll(BLOCK, "") : text, attachments };
}
