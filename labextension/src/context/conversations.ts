/** Other conversations of one's own, by title or id: `@conversation:"About rivers"`. */

import type { TranslationBundle } from "@jupyterlab/translation";

import type { Client } from "../api/client.js";
import { asApiError } from "../api/errors.js";
import type { Conversation } from "../conversation/state.js";
import type { Mentioned, MentionOptions, MentionSource } from "../tokens.js";

const KIND = "conversation:";
/** Characters of a conversation that go along; as in cells. */
const MOST = 50_000;
/** Conversations among which a title is looked for; as in cells. */
const MOST_LISTED = 200;
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class ConversationMentions implements MentionSource {
  readonly #client: Client;
  readonly #trans: TranslationBundle;

  constructor(client: Client, trans: TranslationBundle) {
    this.#client = client;
    this.#trans = trans;
  }

  knows(name: string): boolean {
    return name.startsWith(KIND);
  }

  async complete(begun: string): Promise<MentionOptions> {
    if (!begun.startsWith(KIND)) {
      const itself = { name: KIND, detail: this.#trans.__("what was said elsewhere"), open: true };
      return { options: KIND.startsWith(begun) ? [itself] : [] };
    }
    const sought = begun.slice(KIND.length).toLowerCase();
    try {
      const all = await this.#listed();
      const options = all
        .filter(({ title = "" }) => title.toLowerCase().includes(sought))
        .map((each) => ({ name: `${KIND}${nameOf(each, all)}`, detail: each.label ?? "" }));
      return { options };
    } catch (error) {
      return { options: [], note: asApiError(error).message };
    }
  }

  async resolve(name: string): Promise<Mentioned> {
    const named = name.slice(KIND.length);
    try {
      const id = ID.test(named) ? named : await this.#find(named);
      if (id === null) {
        const why = this.#trans.__("No conversation, or more than one, has this title.");
        return { why, missing: "conversation" };
      }
      const request = { conversation_id: id, format: "markdown" } as const;
      const { content } = await this.#client.call("conversations.export", request);
      return { attachment: { kind: "conversation", name: named, content: ending(content.trim()) } };
    } catch (error) {
      return { why: asApiError(error).message, missing: "conversation" };
    }
  }

  async #find(title: string): Promise<string | null> {
    const found = (await this.#listed()).filter((each) => each.title === title);
    return found.length === 1 ? (found[0]?.id ?? null) : null;
  }

  async #listed(): Promise<readonly Conversation[]> {
    return (await this.#client.call("conversations.list", { limit: MOST_LISTED })).conversations;
  }
}

/** How a conversation is named: by its title, where that says which one it is. */
function nameOf({ id, title = "" }: Conversation, all: readonly Conversation[]): string {
  const tells = title.trim() !== "" && !/["`\n]/.test(title);
  return tells && all.filter((each) => each.title === title).length === 1 ? title : id;
}

/** What was said last matters most. Half a character would make the request invalid. */
export function ending(said: string): string {
  let cut = said.length - MOST;
  if (cut <= 0) return said;
  if (/[\uDC00-\uDFFF]/.test(said.charAt(cut))) cut += 1;
  return `[${String(cut)} characters before this are left out] …\n${said.slice(cut)}`;
}
