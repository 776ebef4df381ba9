/** Files that are about to go along with a message: on their way to the server, or there already. */

import { Signal, type ISignal } from "@lumino/signaling";

import type { Client } from "../api/client.js";
import { asApiError, type ApiError } from "../api/errors.js";
import type { FileTransfer, FileUpload } from "../api/files.js";
import { uuid7 } from "../api/ids.js";
import type { Memory } from "./memory.js";

/** One file in the composer. */
export interface Upload {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  /** An address of the picture, where it is one that this page has. */
  readonly preview: string | null;
  /** Which part of it is there, from 0 to 1. */
  readonly progress: number;
  /** Why it is not there and will not be. */
  readonly error: ApiError | null;
  /** Whether a message that is about to be sent takes it along. */
  readonly taken: boolean;
}

/** The files of each conversation's composer. A new object with each change. */
export type UploadsView = Readonly<Record<string, readonly Upload[]>>;

interface Sending {
  readonly done: Promise<void>;
  readonly stop: AbortController;
}

const NONE: readonly Upload[] = [];

export class Uploads {
  readonly #client: Client;
  readonly #transfer: FileTransfer;
  readonly #memory: Memory;
  readonly #changed = new Signal<this, UploadsView>(this);
  readonly #sending = new Map<string, Sending>();
  readonly #restored = new Set<string>();
  #view: UploadsView = {};

  constructor(client: Client, transfer: FileTransfer, memory: Memory) {
    this.#client = client;
    this.#transfer = transfer;
    this.#memory = memory;
  }

  get view(): UploadsView {
    return this.#view;
  }

  get changed(): ISignal<this, UploadsView> {
    return this.#changed;
  }

  of(conversationId: string): readonly Upload[] {
    return this.#view[conversationId] ?? NONE;
  }

  /** Send files to the server, so that they can go along with the next message. */
  add(conversationId: string, files: Iterable<File>): void {
    for (const file of files) {
      const id = uuid7();
      const preview = /^image\/(?:png|jpeg|gif|webp)$/.test(file.type)
        ? URL.createObjectURL(file)
        : null;
      const upload = { id, name: file.name, size: file.size, preview, progress: 0, error: null, taken: false };
      this.#show(conversationId, [...this.of(conversationId), upload]);
      const stop = new AbortController();
      const done = this.#send(conversationId, id, file, stop.signal);
      this.#sending.set(id, { done, stop });
    }
  }

  async #send(here: string, id: string, file: File, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.call(
        "files.create",
        { conversation_id: here, name: file.name, size: file.size, file_id: id },
        signal,
      );
      await this.#transfer.send(id, file, {
        signal,
        progress: (share) => {
          // What was sent is not there before the server says so.
          this.#change(here, id, { progress: Math.min(share, 0.99) });
        },
      });
      this.#change(here, id, { progress: 1 });
      this.#remember(here);
    } catch (error) {
      this.#change(here, id, { error: asApiError(error) });
    } finally {
      this.#sending.delete(id);
    }
  }

  /** Leave a file out, and have it removed from the server. */
  async remove(conversationId: string, id: string): Promise<void> {
    const sending = this.#sending.get(id);
    const there = sending === undefined && this.#find(conversationId, id)?.error === null;
    this.#drop(conversationId, [id]);
    sending?.stop.abort();
    await sending?.done;
    if (sending !== undefined || there) {
      try {
        await this.#client.call("files.delete", { file_id: id });
      } catch {
        // It was not announced yet, or the server is away; it removes by itself what nobody sends.
      }
    }
  }

  /** Have the next message take along what no other one does; gives the ids. */
  take(conversationId: string): readonly string[] {
    const free = this.of(conversationId).filter(({ taken }) => !taken);
    for (const { id } of free) {
      this.#change(conversationId, id, { taken: true });
    }
    return free.map(({ id }) => id);
  }

  /** These files were not sent after all. */
  giveBack(conversationId: string, ids: readonly string[]): void {
    for (const id of ids) {
      this.#change(conversationId, id, { taken: false });
    }
  }

  /** Those of some files that are there, once those on their way are. */
  async ready(conversationId: string, ids: readonly string[]): Promise<readonly string[]> {
    for (const id of ids) {
      await this.#sending.get(id)?.done;
    }
    return ids.filter((id) => this.#find(conversationId, id)?.error === null);
  }

  /** These files were sent with a message. */
  sent(conversationId: string, ids: readonly string[]): void {
    this.#drop(conversationId, ids);
  }

  /** Show again what was attached before the page was loaded anew. */
  async restore(conversationId: string): Promise<void> {
    const ids = this.#memory.get(nameOf(conversationId)).split(" ").filter(Boolean);
    if (ids.length === 0 || this.#restored.has(conversationId)) {
      return;
    }
    this.#restored.add(conversationId);
    try {
      const { files } = await this.#client.call("files.list", { conversation_id: conversationId });
      const here = this.of(conversationId);
      const known = new Set(here.map(({ id }) => id));
      const again = files.filter((file) => ids.includes(file.id) && isFree(file) && !known.has(file.id));
      this.#show(conversationId, [...again.map(restored), ...here]);
      this.#remember(conversationId);
    } catch {
      this.#restored.delete(conversationId); // another time, perhaps
    }
  }

  #find(conversationId: string, id: string): Upload | undefined {
    return this.of(conversationId).find((upload) => upload.id === id);
  }

  #drop(conversationId: string, ids: readonly string[]): void {
    const gone = this.of(conversationId).filter(({ id }) => ids.includes(id));
    for (const { preview } of gone) {
      if (preview !== null) {
        URL.revokeObjectURL(preview);
      }
    }
    this.#show(
      conversationId,
      this.of(conversationId).filter((upload) => !gone.includes(upload)),
    );
    this.#remember(conversationId);
  }

  #change(conversationId: string, id: string, change: Partial<Upload>): void {
    this.#show(
      conversationId,
      this.of(conversationId).map((upload) => (upload.id === id ? { ...upload, ...change } : upload)),
    );
  }

  #remember(conversationId: string): void {
    const there = this.of(conversationId).filter(({ progress }) => progress === 1);
    this.#memory.set(nameOf(conversationId), there.map(({ id }) => id).join(" "));
  }

  #show(conversationId: string, uploads: readonly Upload[]): void {
    this.#view = { ...this.#view, [conversationId]: uploads };
    this.#changed.emit(this.#view);
  }
}

function nameOf(conversationId: string): string {
  return `files:${conversationId}`;
}

/** Whether it is there, and no message has it. */
function isFree(file: FileUpload): boolean {
  return file.state === "stored" && file.attached !== true;
}

function restored({ id, name, size }: FileUpload): Upload {
  return { id, name, size, preview: null, progress: 1, error: null, taken: false };
}
