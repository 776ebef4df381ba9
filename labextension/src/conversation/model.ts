/** One conversation that is being followed: the reducer, the draft and the branch, with a signal. */

import { Signal, type ISignal } from "@lumino/signaling";

import type { ApiError } from "../api/errors.js";
import type { Envelope } from "../api/frames.js";
import type { ConversationFrame } from "../api/position.js";
import type { EventStream, Listener } from "../api/stream.js";
import { grow, type Draft } from "./draft.js";
import { create, reduce, type ConversationState } from "./state.js";
import { branch, choose, type Choices } from "./tree.js";

/** What there is to show. A new object with each change, so that a view can compare. */
export interface View {
  /** None until the first snapshot is there. */
  readonly state: ConversationState | null;
  readonly draft: Draft | null;
  readonly choices: Choices;
  /** Why nothing new comes: it is followed no more, or the server cannot tell of it just now. */
  readonly error: ApiError | null;
  readonly deleted: boolean;
}

const NOTHING: View = { state: null, draft: null, choices: {}, error: null, deleted: false };

export class ConversationModel implements Listener {
  readonly id: string;
  readonly #changed = new Signal<this, View>(this);
  readonly #unfollow: () => void;
  #view: View = NOTHING;
  /** A message whose branch is to be shown as soon as there is one. */
  #wanted: string | null = null;

  constructor(id: string, stream: EventStream) {
    this.id = id;
    this.#unfollow = stream.follow(id, this);
  }

  get view(): View {
    return this.#view;
  }

  get changed(): ISignal<this, View> {
    return this.#changed;
  }

  /** The last message of the branch that is shown: where it goes on. */
  get leaf(): string | null {
    const { state, choices } = this.#view;
    return state === null ? null : (branch(state, choices).at(-1)?.message.id ?? null);
  }

  /** Show the branch that a message is on. */
  choose(messageId: string): void {
    const { state, choices } = this.#view;
    if (state === null) {
      this.#wanted = messageId;
    } else {
      this.#show({ choices: choose(state, choices, messageId) });
    }
  }

  take(frame: ConversationFrame): void {
    switch (frame.type) {
      case "snapshot":
        this.#begin(frame.state);
        break;
      case "event":
        this.#apply(frame);
        break;
      case "delta":
        this.#show({ draft: grow(this.#view.draft, frame) });
        break;
      case "caught_up":
        if (this.#view.error !== null) {
          this.#show({ error: null });
        }
        break;
    }
  }

  fail(error: ApiError): void {
    this.#show({ error, deleted: error.info.kind === "missing" });
  }

  dispose(): void {
    this.#unfollow();
    Signal.clearData(this);
  }

  /** Take the whole conversation; the first time, show the branch on which it goes on. */
  #begin(state: ConversationState): void {
    const first = this.#wanted ?? Object.keys(state.messages).at(-1);
    const begins = this.#view.state === null && first !== undefined;
    const choices = begins ? choose(state, {}, first) : this.#view.choices;
    this.#show({ state, choices, draft: null, error: null });
  }

  #apply(envelope: Envelope): void {
    const { event } = envelope;
    if (event.type === "conversation_deleted") {
      this.#show({ deleted: true });
      return;
    }
    const before = this.#view.state;
    const state = stateAfter(before, envelope);
    if (state === null) {
      return;
    }
    switch (event.type) {
      case "message_added": {
        const { id } = event.message;
        const draft = this.#view.draft?.messageId === id ? null : this.#view.draft;
        this.#show({ state, draft, choices: choose(state, this.#view.choices, id) });
        break;
      }
      case "attempt_failed":
        this.#show({ state, draft: event.kept === false ? null : this.#view.draft });
        break;
      case "step_started":
        this.#show({ state, draft: started(event.turn_id, event.message_id) });
        break;
      case "turn_finished":
      case "turn_failed":
      case "turn_cancelled":
      case "turn_interrupted":
        this.#show({ state, draft: null });
        break;
      default:
        this.#show({ state });
    }
  }

  #show(change: Partial<View>): void {
    this.#view = { ...this.#view, ...change };
    this.#changed.emit(this.#view);
  }
}

function stateAfter(state: ConversationState | null, envelope: Envelope): ConversationState | null {
  if (state !== null) {
    return reduce(state, envelope);
  }
  return envelope.event.type === "conversation_created" ? create(envelope, envelope.event) : null;
}

/** An answer that has begun, and of which nothing has arrived yet. */
function started(turnId: string, messageId: string): Draft {
  return { turnId, messageId, attempt: 1, parts: [] };
}
