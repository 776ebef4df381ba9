/** One's conversations: which there are, which one is open, and everything that is done to it. */

import { Signal, type ISignal } from "@lumino/signaling";

import type { Client, Schemas } from "../api/client.js";
import { asApiError, type ApiError } from "../api/errors.js";
import { uuid7 } from "../api/ids.js";
import { EventStream, type LineState } from "../api/stream.js";
import type { Connection } from "../api/connection.js";
import { Drafts } from "./drafts.js";
import type { Memory } from "./memory.js";
import { ConversationModel } from "./model.js";
import { NO_PREFERENCES, type ConversationSettings, type Preferences } from "./preferences.js";
import type { Conversation } from "./state.js";

const CURRENT = "conversation";
const MODEL = "model";
const PAGE = 100;

/** Which conversations are listed. */
export type Narrowing = "all" | "starred" | "archived";

export type Hit = Schemas["Hit"];
export type Image = Schemas["ImagePart"];
export type FilePart = Schemas["FilePart"];

/** What is said. */
export interface Message {
  readonly text: string;
  /** Ids of the files that go along. */
  readonly files?: readonly string[];
}

export interface ManagerView {
  readonly current: ConversationModel | null;
  readonly conversations: readonly Conversation[];
  readonly line: LineState;
  /** Model reference of who is to answer; none for the default. */
  readonly model: string | null;
  /** The conversation that was deleted last, as long as that can be undone here. */
  readonly removed: Conversation | null;
  /** What is wrong with what was asked for last. */
  readonly error: ApiError | null;
}

export class ConversationManager {
  readonly client: Client;
  /** What is set for new conversations. */
  readonly preferences: Preferences;
  readonly drafts: Drafts;
  readonly #stream: EventStream;
  readonly #memory: Memory;
  readonly #changed = new Signal<this, ManagerView>(this);
  #view: ManagerView;
  #narrowing: Narrowing = "all";
  /** What is about to be said: the last message of each conversation. */
  readonly #sending = new Map<ConversationModel, Promise<boolean>>();
  #opening: Promise<unknown> = Promise.resolve();

  constructor(
    client: Client,
    connection: Connection,
    memory: Memory,
    preferences: Preferences = NO_PREFERENCES,
  ) {
    this.client = client;
    this.preferences = preferences;
    this.drafts = new Drafts(memory);
    this.#memory = memory;
    this.#stream = new EventStream(connection, {
      probe: () => client.call("system.whoami", {}),
      changed: (line) => {
        this.#show({ line });
      },
    });
    this.#view = {
      current: null,
      conversations: [],
      line: this.#stream.state,
      model: memory.get(MODEL) === "" ? null : memory.get(MODEL),
      removed: null,
      error: null,
    };
  }

  get view(): ManagerView {
    return this.#view;
  }

  get changed(): ISignal<this, ManagerView> {
    return this.#changed;
  }

  /** Go on with the conversation that was open when the page was left. */
  restore(): void {
    const id = this.#memory.get(CURRENT);
    if (id !== "") {
      this.open(id);
    }
  }

  open(id: string): ConversationModel {
    const { current } = this.#view;
    if (current?.id === id) {
      return current;
    }
    this.#leave(current);
    const model = Array.from(this.#sending.keys()).find((each) => each.id === id) ?? this.#follow(id);
    this.#memory.set(CURRENT, id);
    this.#show({ current: model, error: null });
    return model;
  }

  #follow(id: string): ConversationModel {
    const model = new ConversationModel(id, this.#stream);
    model.changed.connect((_, { deleted }) => {
      if (deleted && this.#view.current === model) {
        this.close();
      }
    });
    return model;
  }

  /** Show none: the next message begins a new conversation. */
  close(): void {
    this.#leave(this.#view.current);
    this.#memory.set(CURRENT, "");
    this.#show({ current: null, error: null });
    if ((this.preferences.settings.model ?? "") !== "") {
      this.chooseModel(null); // a model was set for new conversations: the choice was for the old one
    }
  }

  /** Follow a conversation no more, unless something is about to be said in it. */
  #leave(model: ConversationModel | null): void {
    if (model !== null && !this.#sending.has(model)) {
      model.dispose();
    }
  }

  /** Who is to answer from now on. */
  chooseModel(ref: string | null): void {
    this.#memory.set(MODEL, ref ?? "");
    this.#show({ model: ref });
  }

  /** Read the list again, as it is narrowed down. */
  async refresh(narrowing: Narrowing = this.#narrowing): Promise<void> {
    this.#narrowing = narrowing;
    await this.attempt(async () => {
      const page = await this.client.call("conversations.list", {
        limit: PAGE,
        archived: narrowing === "archived",
        starred: narrowing === "starred" ? true : null,
      });
      this.#show({ conversations: page.conversations });
    });
  }

  /** Find conversations by what is said in them. */
  async search(query: string): Promise<readonly Hit[]> {
    let found: readonly Hit[] = [];
    await this.attempt(async () => {
      found = (await this.client.call("conversations.search", { query })).hits;
    });
    return found;
  }

  /**
   * The open conversation; a new one where none is open.
   *
   * @throws ApiError none could be begun.
   */
  opened(): Promise<ConversationModel> {
    // One after another: who comes second finds what the first has begun.
    const opening = this.#opening.then(() => this.#opened());
    this.#opening = opening.catch(() => undefined);
    return opening;
  }

  async #opened(): Promise<ConversationModel> {
    if (this.#view.current !== null) {
      return this.#view.current;
    }
    const { id } = await this.client.call("conversations.create", {
      conversation_id: uuid7(),
      settings: this.preferences.settings,
    });
    this.drafts.begun(id);
    return this.open(id);
  }

  /**
   * Say something in the conversation that is open now, and have it answered by who is chosen now;
   * where a turn is running, after that.
   *
   * @param prepare what is said, given the conversation; it may take its time, and nothing that is
   *   said there later overtakes it.
   * @returns whether it was taken: what was not is still the user's.
   */
  async send(prepare: (conversationId: string) => Message | Promise<Message>): Promise<boolean> {
    const { current, model } = this.#view;
    const conversation = current ?? (await this.#begun());
    if (conversation === null) {
      return false;
    }
    const before = this.#sending.get(conversation);
    const sent = this.attempt(async () => {
      const follows = await before;
      const { text, files = [] } = await prepare(conversation.id);
      await this.client.call("turns.start", {
        ...this.#request(conversation.id),
        model,
        text,
        files: [...files],
        // Of the message that it follows, nothing may have been heard yet.
        parent_id: follows === true ? null : conversation.leaf,
        queue: true,
      });
    });
    this.#sending.set(conversation, sent);
    await sent;
    if (this.#sending.get(conversation) === sent) {
      this.#sending.delete(conversation);
      if (conversation !== this.#view.current) {
        this.#leave(conversation);
      }
    }
    return sent;
  }

  /** The conversation that a first message begins; none where that fails, which is shown. */
  async #begun(): Promise<ConversationModel | null> {
    let begun: ConversationModel | null = null;
    await this.attempt(async () => {
      begun = await this.opened();
    });
    return begun;
  }

  /** Say a message differently, as a branch beside it. */
  async edit(messageId: string, text: string): Promise<boolean> {
    return this.#inCurrent((id) =>
      this.client.call("messages.edit", { ...this.#request(id), message_id: messageId, text }),
    );
  }

  /** Have a question answered again, as a branch beside the former answer. */
  async regenerate(messageId: string): Promise<boolean> {
    return this.#inCurrent((id) =>
      this.client.call("messages.regenerate", { ...this.#request(id), message_id: messageId }),
    );
  }

  /** Go on with a turn that broke off. */
  async goOn(turnId: string): Promise<boolean> {
    return this.#inCurrent((id) =>
      this.client.call("turns.continue", { ...this.#request(id), turn_id: turnId }),
    );
  }

  async pin(messageId: string, pinned: boolean): Promise<boolean> {
    return this.#inCurrent((id) =>
      this.client.call("messages.pin", { conversation_id: id, message_id: messageId, pinned }),
    );
  }

  /** Set what is set for the open conversation. */
  async configure(settings: ConversationSettings): Promise<boolean> {
    return this.#inCurrent((id) =>
      this.client.call("conversations.configure", { conversation_id: id, settings }),
    );
  }

  /** Take back a message that waits. */
  async unqueue(turnId: string): Promise<boolean> {
    return this.#inCurrent((id) =>
      this.client.call("turns.unqueue", { conversation_id: id, turn_id: turnId }),
    );
  }

  /** Send the first message that waits, where a turn that did not finish has held it up. */
  async sendQueued(): Promise<boolean> {
    return this.#inCurrent((id) => this.client.call("turns.send_queued", { conversation_id: id }));
  }

  #request(conversationId: string) {
    return { conversation_id: conversationId, request_id: uuid7(), model: this.#view.model };
  }

  #inCurrent(action: (conversationId: string) => Promise<unknown>): Promise<boolean> {
    const { current } = this.#view;
    return this.attempt(() => (current === null ? Promise.resolve() : action(current.id)));
  }

  async stop(turnId: string): Promise<void> {
    await this.attempt(() => this.client.call("turns.cancel", { turn_id: turnId }));
  }

  async rename(id: string, title: string): Promise<void> {
    await this.attempt(() =>
      this.client.call("conversations.rename", { conversation_id: id, title }),
    );
    await this.refresh();
  }

  async star(id: string, starred: boolean): Promise<void> {
    await this.attempt(() =>
      this.client.call("conversations.star", { conversation_id: id, starred }),
    );
    await this.refresh();
  }

  async archive(id: string, archived: boolean): Promise<void> {
    await this.attempt(() =>
      this.client.call("conversations.archive", { conversation_id: id, archived }),
    );
    await this.refresh();
  }

  /** Delete a conversation; for a while that can be undone. */
  async remove(conversation: Conversation): Promise<void> {
    const request = { conversation_id: conversation.id };
    if (await this.attempt(() => this.client.call("conversations.delete", request))) {
      this.#show({ removed: conversation });
      if (this.#view.current?.id === conversation.id) {
        this.close();
      }
    }
    await this.refresh();
  }

  /** Undo the deletion of a conversation, wherever it was deleted. */
  async undelete(id: string): Promise<void> {
    const request = { conversation_id: id };
    if (await this.attempt(() => this.client.call("conversations.restore", request))) {
      if (this.#view.removed?.id === id) {
        this.#show({ removed: null });
      }
      await this.refresh();
    }
  }

  /** Do something at the server; what goes wrong is shown, and this says that it did. */
  async attempt(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action();
    } catch (error) {
      this.#show({ error: asApiError(error) });
      return false;
    }
    if (this.#view.error !== null) {
      this.#show({ error: null });
    }
    return true;
  }

  /** What went wrong was read. */
  forgive(): void {
    this.#show({ error: null });
  }

  /** Look after the line now. */
  wake(): void {
    this.#stream.wake();
  }

  #show(change: Partial<ManagerView>): void {
    this.#view = { ...this.#view, ...change };
    this.#changed.emit(this.#view);
  }
}
