/**
 * The server's API through the comm of a widget: what stands behind it is the kernel, which passes
 * calls on through the door that it has itself. So it works where a page has no server of its own.
 *
 * To those who speak it is a connection like any other: `fetch` and a WebSocket.
 */

import { Signal, type ISignal } from "@lumino/signaling";

import type { Connection } from "../api/connection.js";
import { uuid7 } from "../api/ids.js";
import type { WidgetModel } from "./model.js";

/** What the kernel says. */
type Said =
  | { door: "answer"; id: string; status: number; body: string }
  | { door: "frames"; line: string; frames: string[] }
  | { door: "closed"; line: string };

/** Milliseconds without an answer after which the kernel is taken to be busy. */
const BUSY = 1500;

/** Whether the kernel is there, and has time. */
export type KernelState = "unheard" | "ready" | "busy";

export class CommDoor {
  readonly connection: Connection;
  readonly #model: WidgetModel;
  readonly #calls = new Map<string, (answer: Response) => void>();
  readonly #lines = new Map<string, Line>();
  readonly #changed = new Signal<this, KernelState>(this);
  #view: KernelState = "unheard";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(model: WidgetModel) {
    this.#model = model;
    model.on("msg:custom", this.#hear);
    const open = (): Line => {
      const id = uuid7();
      const line = new Line({
        send: (text) => {
          this.#send({ door: "frame", line: id, text });
        },
        close: () => {
          this.#lines.delete(id);
          this.#send({ door: "hang_up", line: id });
        },
      });
      this.#lines.set(id, line);
      return line;
    };
    this.connection = {
      // Nobody goes there: only the last part of an address, the procedure's name, is read.
      baseUrl: "http://kernel.invalid/",
      wsUrl: "ws://kernel.invalid/",
      token: "",
      appendToken: false,
      fetch: (url, init) => this.#call(url, init),
      // Called with `new`, a function gives what it returns.
      WebSocket: Object.assign(
        function WebSocketOfComm() {
          return open();
        },
        { OPEN: Line.OPEN },
      ) as unknown as typeof WebSocket,
    };
  }

  get view(): KernelState {
    return this.#view;
  }

  get changed(): ISignal<this, KernelState> {
    return this.#changed;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#model.off("msg:custom", this.#hear);
    Signal.clearData(this);
  }

  #call(url: string, init?: RequestInit): Promise<Response> {
    const id = uuid7();
    const name = new URL(url).pathname.split("/").at(-1) ?? "";
    const body = typeof init?.body === "string" ? init.body : "{}";
    const answered = new Promise<Response>((resolve) => {
      this.#calls.set(id, resolve);
    });
    this.#send({ door: "call", id, name, body });
    this.#watch();
    return answered;
  }

  #send(content: object): void {
    this.#model.send({ ...content, key: uuid7() }); // by which the kernel knows what it hears twice
  }

  readonly #hear = (content: unknown): void => {
    const said = content as Said; // our own Python says it
    switch (said.door) {
      case "answer":
        this.#calls.get(said.id)?.(new Response(said.body, { status: said.status }));
        this.#calls.delete(said.id);
        break;
      case "frames":
        this.#lines.get(said.line)?.hear(said.frames);
        break;
      case "closed":
        this.#lines.get(said.line)?.lose();
        this.#lines.delete(said.line);
        break;
    }
    this.#watch();
    this.#show("ready");
  };

  /** Say it if a call waits for long: the kernel runs a cell, and answers when that is over. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#calls.size > 0 && this.#view !== "unheard") {
      this.#timer = setTimeout(() => {
        this.#show("busy");
      }, BUSY);
    }
  }

  #show(view: KernelState): void {
    if (view !== this.#view) {
      this.#view = view;
      this.#changed.emit(view);
    }
  }
}

/** As much of a WebSocket as is used of one. */
class Line {
  static readonly OPEN = 1;

  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((closing: { code: number }) => void) | null = null;
  readyState = 0;
  readonly send: (text: string) => void;
  readonly close: () => void;

  constructor(to: { send: (text: string) => void; close: () => void }) {
    this.send = to.send;
    this.close = to.close;
    queueMicrotask(() => {
      this.readyState = Line.OPEN;
      this.onopen?.();
    });
  }

  hear(frames: readonly string[]): void {
    for (const data of frames) {
      this.onmessage?.({ data });
    }
  }

  /** The kernel knows it no more; one comes back with another line. */
  lose(): void {
    this.onclose?.({ code: 1006 });
  }
}
