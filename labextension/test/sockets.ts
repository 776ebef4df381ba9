/** A line that a test holds the other end of, and a clock that it turns. */

import type { Connection } from "../src/api/connection.js";
import type { Clock } from "../src/api/stream.js";

export class TestClock implements Clock {
  #now = 0;
  #timers: { at: number; action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  later(milliseconds: number, action: () => void): () => void {
    const timer = { at: this.#now + milliseconds, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Let time pass, and happen what then has to. */
  pass(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) {
        break;
      }
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = due.at;
      due.action();
    }
    this.#now = until;
  }
}

export class TestSocket {
  static readonly OPEN = 1;
  static made: TestSocket[] = [];

  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((closing: { code: number }) => void) | null = null;

  constructor(readonly url: string) {
    TestSocket.made.push(this);
  }

  /** The one that was made last. */
  static get last(): TestSocket {
    const last = TestSocket.made.at(-1);
    if (last === undefined) {
      throw new Error("nobody has connected");
    }
    return last;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = 3;
  }

  /** The server lets the line come about, and greets. */
  accept(): void {
    this.readyState = TestSocket.OPEN;
    this.onopen?.();
    this.say({ type: "welcome", protocol: 1, version: "0.1.0" });
  }

  say(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** The line ends, as far as this side can see. */
  end(code = 1006): void {
    this.onclose?.({ code });
  }
}

export const CONNECTION: Connection = {
  baseUrl: "http://127.0.0.1:8888/user/me/",
  wsUrl: "ws://127.0.0.1:8888/user/me/",
  token: "secret",
  appendToken: true,
  fetch: () => Promise.reject(new TypeError("no server")),
  WebSocket: TestSocket as unknown as typeof WebSocket,
};
