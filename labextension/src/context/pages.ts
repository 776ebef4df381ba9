/** Pages on the web, fetched by the server: `@url:https://example.org/`. */

import type { TranslationBundle } from "@jupyterlab/translation";

import type { Client } from "../api/client.js";
import { asApiError } from "../api/errors.js";
import type { Mentioned, MentionOptions, MentionSource } from "../tokens.js";

const KIND = "url:";
/** Milliseconds for which a page is kept: what the chip has shown is what is sent. */
const KEPT = 300_000;
const MOST_KEPT = 20;

export class PageMentions implements MentionSource {
  readonly #client: Client;
  readonly #trans: TranslationBundle;
  readonly #allowed: () => boolean;
  readonly #kept = new Map<string, { readonly at: number; readonly mentioned: Promise<Mentioned> }>();

  constructor(client: Client, trans: TranslationBundle, allowed: () => boolean) {
    this.#client = client;
    this.#trans = trans;
    this.#allowed = allowed;
  }

  knows(name: string): boolean {
    return name.startsWith(KIND);
  }

  complete(begun: string): Promise<MentionOptions> {
    const itself = { name: KIND, detail: this.#trans.__("a page on the web"), open: true };
    const fits = this.#allowed() && KIND.startsWith(begun);
    return Promise.resolve({ options: fits ? [itself] : [] });
  }

  async resolve(name: string): Promise<Mentioned> {
    const kept = this.#kept.get(name);
    if (kept !== undefined && Date.now() - kept.at < KEPT) {
      return kept.mentioned;
    }
    this.#kept.delete(name);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= MOST_KEPT) {
      this.#kept.delete(oldest);
    }
    const mentioned = this.#fetched(name.slice(KIND.length));
    this.#kept.set(name, { at: Date.now(), mentioned });
    const found = await mentioned;
    if ("why" in found) {
      this.#kept.delete(name); // it may be there the next time
    }
    return found;
  }

  async #fetched(url: string): Promise<Mentioned> {
    try {
      const { text, note = "" } = await this.#client.call("pages.read", { url });
      const content = note === "" ? text : `${text}\n… [${note}]`;
      return { attachment: { kind: "page", name: url, content } };
    } catch (error) {
      return { why: asApiError(error).message, missing: "page" };
    }
  }
}
