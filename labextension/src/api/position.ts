/** How far a reader has come in one conversation: the same rules as in the Python client. */

import type { Schemas } from "./client.js";
import type { Envelope, ServerFrame } from "./frames.js";

type Delta = Schemas["Delta"];
type DraftPosition = Required<Schemas["DraftPosition"]>;

/** What is about one conversation, and not about the line. */
export type ConversationFrame = Exclude<
  ServerFrame,
  Schemas["Welcome"] | Schemas["Heartbeat"] | Schemas["Problem"]
>;

export class Position {
  #seq: number | null = null;
  #draft: DraftPosition | null = null;

  /** What to ask for to get everything beyond it. */
  subscription(conversationId: string): Schemas["Subscribe"] {
    return {
      type: "subscribe",
      conversation_id: conversationId,
      after: this.#seq,
      draft: this.#draft,
    };
  }

  /** Whether the server has an event that the reader lacks, or knows the conversation no more. */
  behind(newest: number | undefined): boolean {
    return newest === undefined || newest > (this.#seq ?? 0);
  }

  /** Whether a frame is known to the reader, or continues what it has: else pieces are missing. */
  fits(frame: ConversationFrame): boolean {
    if (frame.type === "event") {
      return this.#seq === null || frame.seq <= this.#seq + 1 || isDeletion(frame);
    }
    return frame.type !== "delta" || this.#continues(frame);
  }

  #continues(delta: Delta): boolean {
    const have = this.#draft;
    if (have?.message_id !== delta.message_id || delta.part > have.part) {
      return delta.first === 1;
    }
    const attempt = delta.attempt ?? 1;
    if (have.attempt !== attempt) {
      return attempt < have.attempt || delta.first === 1;
    }
    return delta.part < have.part || delta.n <= have.n || delta.first === have.n + 1;
  }

  /** Go on to a frame that fits; say whether it brings anything that the reader does not have. */
  take(frame: ConversationFrame): boolean {
    switch (frame.type) {
      case "snapshot":
        this.#seq = frame.state.conversation.seq;
        this.#draft = null;
        return true;
      case "event":
        return this.#takeEvent(frame);
      case "delta":
        return this.#takeDelta(frame);
      case "caught_up":
        return true;
    }
  }

  #takeEvent(envelope: Envelope): boolean {
    if (envelope.seq <= (this.#seq ?? 0)) {
      return false;
    }
    this.#seq = envelope.seq;
    if (envelope.event.type === "attempt_failed" && envelope.event.kept === false) {
      this.#draft = null; // the answer begins anew
    }
    return true;
  }

  #takeDelta(delta: Delta): boolean {
    const attempt = delta.attempt ?? 1;
    const have = this.#draft;
    if (have?.message_id === delta.message_id && !isBeyond(delta, have)) {
      return false;
    }
    this.#draft = { message_id: delta.message_id, part: delta.part, n: delta.n, attempt };
    return true;
  }
}

function isBeyond(delta: Delta, have: DraftPosition): boolean {
  const attempt = delta.attempt ?? 1;
  if (attempt !== have.attempt) {
    return attempt > have.attempt;
  }
  return delta.part === have.part ? delta.n > have.n : delta.part > have.part;
}

/** It is published and never stored, so that its number may be any. */
function isDeletion(envelope: Envelope): boolean {
  return envelope.event.type === "conversation_deleted";
}
