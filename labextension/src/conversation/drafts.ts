/** What is being written in each conversation; a page that is loaded again goes on with it. */

import { Signal, type ISignal } from "@lumino/signaling";

import type { Memory } from "./memory.js";

/** In place of an id: the conversation that the next message begins. */
export const NEW = "";

export class Drafts {
  readonly #memory: Memory;
  readonly #changed = new Signal<this, string>(this);
  // Another tab that writes in the same conversation changes what is remembered, and not what is here.
  readonly #here = new Map<string, string>();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Emits the id of the conversation in which something else is being written now. */
  get changed(): ISignal<this, string> {
    return this.#changed;
  }

  get(conversationId: string): string {
    return this.#here.get(conversationId) ?? this.#memory.get(nameOf(conversationId));
  }

  set(conversationId: string, text: string): void {
    this.#here.set(conversationId, text);
    this.#memory.set(nameOf(conversationId), text);
    this.#changed.emit(conversationId);
  }

  /** What could not be sent is the user's again, before what they went on to write. */
  giveBack(conversationId: string, text: string): void {
    const written = this.get(conversationId);
    this.set(conversationId, written === "" ? text : `${text}\n\n${written}`);
  }

  /** A new conversation has begun: what is being written goes on there. */
  begun(conversationId: string): void {
    this.set(conversationId, this.get(NEW));
    this.set(NEW, "");
  }
}

function nameOf(conversationId: string): string {
  return `draft:${conversationId}`;
}
