/**
 * The WebSocket: many conversations on one line that comes back by itself.
 *
 * A listener gets every frame once and in order, however often the line breaks: each subscription
 * is resumed from the last event and the last piece of the streaming answer that were passed on.
 */

import { PROTOCOL } from "./client.js";
import type { CLOSINGS } from "./closings.generated.js";
import { socketUrl, type Connection } from "./connection.js";
import { ApiError, asApiError, type ErrorInfo } from "./errors.js";
import { parseServerFrame, type ServerFrame } from "./frames.js";
import { Position, type ConversationFrame } from "./position.js";

/** Milliseconds between attempts to come back, the last again and again; each is jittered. */
const PAUSES = [100, 300, 1000, 2000, 4000, 8000, 15000] as const;

/** Milliseconds of silence after which the server is asked whether it is still there; it beats
 * every 20 seconds. */
const SILENCE = 30_000;

/** Milliseconds that it then has for its answer, and for its welcome at the beginning. */
const PATIENCE = 10_000;

/** Milliseconds that a line is kept on which nobody follows anything. */
const IDLE = 60_000;

/** The codes with which the server says that coming back changes nothing: all of its table. */
type ForGood = Extract<(typeof CLOSINGS)[number], { again: "no" }>["code"];

/** What they mean to a reader. */
const FOR_GOOD: Readonly<Record<ForGood, ErrorInfo>> = {
  4400: {
    code: "bad_frame",
    kind: "bug",
    text: "The server did not understand this page.",
    hint: "Reload it.",
  },
  4401: {
    code: "not_authenticated",
    kind: "denied",
    text: "You are not signed in any more.",
    hint: "Reload the page and sign in again.",
  },
  4426: {
    code: "protocol_mismatch",
    kind: "invalid",
    text: "This page and the server are of different versions.",
    hint: "Reload the page.",
  },
};

function lostForGood(code: number): ErrorInfo | null {
  return code in FOR_GOOD ? FOR_GOOD[code as ForGood] : null;
}

/** How the line is. */
export type LineState =
  | { kind: "idle" }
  | { kind: "connecting" }
  | { kind: "open" }
  /** Lost, and tried again at `until` (as `Clock.now` counts). */
  | { kind: "waiting"; until: number; error: ApiError | null }
  /** Lost, and not tried again unless somebody asks for it. */
  | { kind: "closed"; error: ApiError };

/** Who follows a conversation. */
export interface Listener {
  /** Something new of it. */
  take(frame: ConversationFrame): void;
  /** Nothing new comes: the server has ended the subscription, or cannot tell of it just now. */
  fail(error: ApiError): void;
}

/** Time, as far as the line needs it. */
export interface Clock {
  now(): number;
  /** Do something later; what it gives does not let it happen. */
  later(milliseconds: number, action: () => void): () => void;
  /** From 0 to 1. */
  random(): number;
}

export const CLOCK: Clock = {
  now: () => Date.now(),
  later: (milliseconds, action) => {
    const timer = setTimeout(action, milliseconds);
    return () => {
      clearTimeout(timer);
    };
  },
  random: () => Math.random(),
};

interface Subscription {
  readonly listener: Listener;
  readonly position: Position;
  caughtUp: boolean;
  /** How often in a row the server could not tell of it just then. */
  failures: number;
  cancelRetry: () => void;
}

export interface StreamOptions {
  /** Finds out why no line comes about: a browser does not say. Throws what the server says. */
  probe(): Promise<unknown>;
  /** Told of every change of the line. */
  changed(state: LineState): void;
  clock?: Clock;
}

export class EventStream {
  readonly #connection: Connection;
  readonly #options: StreamOptions;
  readonly #clock: Clock;
  readonly #subscriptions = new Map<string, Subscription>();
  #socket: WebSocket | null = null;
  #state: LineState = { kind: "idle" };
  #failures = 0;
  #cancelTimer: () => void = () => undefined;
  #cancelIdle: () => void = () => undefined;

  constructor(connection: Connection, options: StreamOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#clock = options.clock ?? CLOCK;
  }

  get state(): LineState {
    return this.#state;
  }

  /** Follow a conversation until the returned function is called. One follower for each. */
  follow(conversationId: string, listener: Listener): () => void {
    const subscription: Subscription = {
      listener,
      position: new Position(),
      caughtUp: false,
      failures: 0,
      cancelRetry: () => undefined,
    };
    this.#subscriptions.set(conversationId, subscription);
    this.#cancelIdle();
    if (this.#state.kind === "open") {
      this.#subscribe(conversationId, subscription);
    } else if (this.#state.kind === "idle") {
      this.#connect();
    }
    return () => {
      if (this.#subscriptions.get(conversationId) === subscription) {
        subscription.cancelRetry();
        this.#subscriptions.delete(conversationId);
        this.#send({ type: "unsubscribe", conversation_id: conversationId });
        this.#letGoWhenIdle();
      }
    };
  }

  /** Look after the line now: the network is back, somebody looks at the page or pressed a button. */
  wake(): void {
    if (this.#state.kind === "waiting" || this.#state.kind === "closed") {
      this.#failures = 0;
      this.#connect();
    } else if (this.#state.kind === "open") {
      this.#ping();
    }
  }

  /** Hang up for good. */
  dispose(): void {
    for (const { cancelRetry } of this.#subscriptions.values()) {
      cancelRetry();
    }
    this.#subscriptions.clear();
    this.#cancelIdle();
    this.#hangUp();
    this.#enter({ kind: "idle" });
  }

  #letGoWhenIdle(): void {
    this.#cancelIdle();
    if (this.#subscriptions.size === 0) {
      this.#cancelIdle = this.#clock.later(IDLE, () => {
        this.#hangUp();
        this.#enter({ kind: "idle" });
      });
    }
  }

  #connect(): void {
    this.#hangUp();
    this.#enter({ kind: "connecting" });
    const socket = new this.#connection.WebSocket(socketUrl(this.#connection));
    this.#socket = socket;
    this.#cancelTimer = this.#clock.later(PATIENCE, () => {
      this.#lose(socket, null);
    });
    socket.onopen = () => {
      this.#send({ type: "hello", protocol: PROTOCOL });
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      this.#hear(message.data);
    };
    socket.onclose = (closing) => {
      this.#lose(socket, lostForGood(closing.code));
    };
  }

  /** Drop the line without waiting for the other side, which may be gone. */
  #hangUp(): void {
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  #lose(socket: WebSocket, error: ErrorInfo | null): void {
    if (socket !== this.#socket) {
      return;
    }
    const neverOpen = this.#state.kind === "connecting";
    this.#hangUp();
    if (error !== null) {
      this.#enter({ kind: "closed", error: new ApiError(error) });
    } else if (this.#subscriptions.size === 0) {
      this.#enter({ kind: "idle" });
    } else {
      this.#wait(null);
      if (neverOpen) {
        void this.#explain();
      }
    }
  }

  #wait(error: ApiError | null): void {
    const pause = this.#pause(this.#failures);
    this.#failures += 1;
    this.#cancelTimer = this.#clock.later(pause, () => {
      this.#connect();
    });
    this.#enter({ kind: "waiting", until: this.#clock.now() + pause, error });
  }

  #pause(failures: number): number {
    const most = PAUSES[Math.min(failures, PAUSES.length - 1)] ?? 0;
    return most * (0.5 + this.#clock.random() / 2);
  }

  /** Ask over HTTP why the line does not come about; some reasons do not go away by waiting. */
  async #explain(): Promise<void> {
    const error = await this.#options.probe().then(
      () => null,
      (reason: unknown) => asApiError(reason),
    );
    if (error === null || this.#state.kind === "open" || this.#state.kind === "idle") {
      return;
    }
    if (error.info.kind === "denied" || error.info.kind === "invalid") {
      this.#hangUp();
      this.#enter({ kind: "closed", error });
    } else if (this.#state.kind === "waiting") {
      this.#enter({ ...this.#state, error });
    }
  }

  #hear(data: unknown): void {
    this.#listenOn();
    const frame = typeof data === "string" ? parseServerFrame(data) : null;
    if (frame !== null) {
      this.#obey(frame);
    }
  }

  /** Give the server time again, now that it was heard. */
  #listenOn(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.later(SILENCE, () => {
      this.#ping();
    });
  }

  #ping(): void {
    const socket = this.#socket;
    if (socket === null) {
      return;
    }
    this.#send({ type: "ping" });
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.later(PATIENCE, () => {
      this.#lose(socket, null);
    });
  }

  #obey(frame: ServerFrame): void {
    switch (frame.type) {
      case "welcome":
        this.#enter({ kind: "open" });
        for (const [conversationId, subscription] of this.#subscriptions) {
          this.#subscribe(conversationId, subscription);
        }
        break;
      case "heartbeat":
        this.#catchUp(frame.seqs);
        break;
      case "error":
        this.#failSubscription(frame.error, frame.conversation_id ?? null);
        break;
      default:
        this.#passOn(frame);
    }
  }

  #subscribe(conversationId: string, subscription: Subscription): void {
    subscription.cancelRetry();
    subscription.caughtUp = false;
    this.#send(subscription.position.subscription(conversationId));
  }

  /** What the server cannot do just then is asked for again; what it refuses is not. */
  #failSubscription(error: ErrorInfo, conversationId: string | null): void {
    const subscription = conversationId === null ? undefined : this.#subscriptions.get(conversationId);
    if (conversationId === null || subscription === undefined) {
      return;
    }
    if (error.kind === "unavailable") {
      this.#subscribeLater(conversationId, subscription);
    } else {
      this.#subscriptions.delete(conversationId);
      this.#letGoWhenIdle();
    }
    subscription.listener.fail(new ApiError(error));
  }

  #subscribeLater(conversationId: string, subscription: Subscription): void {
    subscription.caughtUp = false; // until then, no heartbeat and no gap makes it ask
    subscription.cancelRetry();
    subscription.cancelRetry = this.#clock.later(this.#pause(subscription.failures), () => {
      this.#subscribe(conversationId, subscription);
    });
    subscription.failures += 1;
  }

  /** Stored, and not told: another process wrote, or ours died in between. */
  #catchUp(seqs: Readonly<Record<string, number>>): void {
    for (const [conversationId, subscription] of this.#subscriptions) {
      if (subscription.caughtUp && subscription.position.behind(seqs[conversationId])) {
        this.#subscribe(conversationId, subscription);
      }
    }
  }

  #passOn(frame: ConversationFrame): void {
    const id = frame.conversation_id;
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) {
      return;
    }
    if (frame.type === "caught_up") {
      subscription.caughtUp = true;
      subscription.failures = 0;
      this.#failures = 0;
    }
    if (!subscription.position.fits(frame)) {
      if (subscription.caughtUp) {
        this.#subscribe(id, subscription);
      }
    } else if (subscription.position.take(frame)) {
      subscription.listener.take(frame);
    }
  }

  #send(frame: ClientFrame): void {
    if (this.#socket?.readyState === this.#connection.WebSocket.OPEN) {
      this.#socket.send(JSON.stringify(frame));
    }
  }

  #enter(state: LineState): void {
    this.#state = state;
    this.#options.changed(state);
  }
}

type ClientFrame =
  | { type: "hello"; protocol: number }
  | { type: "ping" }
  | { type: "unsubscribe"; conversation_id: string }
  | ReturnType<Position["subscription"]>;
