/** A streaming answer: what deltas have brought, until the message is stored. Pure. */

import type { Schemas } from "../api/client.js";

type Delta = Schemas["Delta"];

/** One part of an answer while it grows. */
export interface DraftPart {
  kind: Delta["kind"];
  text: string;
}

export interface Draft {
  turnId: string;
  messageId: string;
  attempt: number;
  parts: readonly DraftPart[];
}

/** The draft after more pieces. They fit: the stream has seen to that. */
export function grow(draft: Draft | null, delta: Delta): Draft {
  const attempt = delta.attempt ?? 1;
  const same = draft?.messageId === delta.message_id && draft.attempt === attempt;
  const parts = same ? [...draft.parts] : [];
  const before = parts[delta.part];
  const text = (before?.text ?? "") + delta.text;
  parts[delta.part] = { kind: delta.kind, text };
  return { turnId: delta.turn_id, messageId: delta.message_id, attempt, parts };
}
