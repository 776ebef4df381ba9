/** What this browser remembers of its own: small texts, which may be lost. */

export interface Memory {
  get(name: string): string;
  /** An empty text forgets. */
  set(name: string, value: string): void;
}

/** The browser's storage, apart from that of other servers under the same host. */
export class BrowserMemory implements Memory {
  readonly #prefix: string;
  readonly #storage: Storage;

  constructor(baseUrl: string, storage: Storage) {
    this.#prefix = `bestchat:${new URL(baseUrl).pathname}:`;
    this.#storage = storage;
  }

  get(name: string): string {
    return this.#storage.getItem(this.#prefix + name) ?? "";
  }

  set(name: string, value: string): void {
    try {
      if (value === "") {
        this.#storage.removeItem(this.#prefix + name);
      } else {
        this.#storage.setItem(this.#prefix + name, value);
      }
    } catch {
      // It is full, or the browser keeps nothing: then nothing is remembered.
    }
  }
}
