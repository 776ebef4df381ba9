/** One's conversations: which there are, which one is open, and everything that is done to it. */

import { Signal, type ISignal } from "@lumino/signaling";

import type { Client } from "../api/client.js";
import { asApiError, type ApiError } from "../api/errors.js";
import { uuid7 } from "../api/ids.js";
import { EventStream, type LineState } from "../api/stream.js";
import type { Connection } from "../api/connection.js";
import type { Memory } from "./memory.js";
import { ConversationModel } from "./model.js";
import { textOf, type Conversation } from "./state.js";

const CURRENT = "conversation";
const MODEL = "model";
const PAGE = 100;

export interface ManagerView {
  readonly current: ConversationModel | null;
  readonly conversations: readonly Conversation[];
  readonly line: LineState;
  /** Model reference of who is to answer; none for the default. */
  readonly model: string | null;
  /** What is wrong with what was asked for last. */
  readonly error: ApiError | null;
}

export class ConversationManager {
  readonly client: Client;
  readonly #stream: EventStream;
  readonly #memory: Memory;
  readonly #changed = new Signal<this, ManagerView>(this);
  #view: ManagerView;

  constructor(client: Client, connection: Connection, memory: Memory) {
    this.client = client;
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
    current?.dispose();
    const model = new ConversationModel(id, this.#stream);
    model.changed.connect((_, { deleted }) => {
      if (deleted && this.#view.current === model) {
        this.close();
      }
    });
    this.#memory.set(CURRENT, id);
    this.#show({ current: model, error: null });
    return model;
  }

  /** Show none: the next message begins a new conversation. */
  close(): void {
    this.#view.current?.dispose();
    this.#memory.set(CURRENT, "");
    this.#show({ current: null, error: null });
  }

  /** Who is to answer from now on. */
  chooseModel(ref: string | null): void {
    this.#memory.set(MODEL, ref ?? "");
    this.#show({ model: ref });
  }

  async refresh(): Promise<void> {
    await this.attempt(async () => {
      const page = await this.client.call("conversations.list", { limit: PAGE });
      this.#show({ conversations: page.conversations });
    });
  }

  /** The open conversation; a new one where none is open. */
  async #opened(label: string): Promise<ConversationModel> {
    if (this.#view.current !== null) {
      return this.#view.current;
    }
    const request = { conversation_id: uuid7(), label };
    const { id } = await this.client.call("conversations.create", request);
    return this.open(id);
  }

  /**
   * Say something, and have it answered. Says whether it was taken: what was not is still the
   * user's, in the composer.
   */
  async send(text: string, label = ""): Promise<boolean> {
    return this.attempt(async () => {
      const model = await this.#opened(label);
      await this.client.call("turns.start", {
        conversation_id: model.id,
        request_id: uuid7(),
        text,
        model: this.#view.model,
        parent_id: model.leaf,
      });
    });
  }

  /** Say a message differently, as a branch beside it. */
  async edit(messageId: string, text: string): Promise<boolean> {
    return this.attempt(async () => {
      const model = this.#view.current;
      const message = model?.view.state?.messages[messageId];
      if (model === null || message === undefined) {
        return;
      }
      await this.client.call("turns.start", {
        conversation_id: model.id,
        request_id: uuid7(),
        text,
        model: this.#view.model,
        parent_id: message.parent_id,
        root: message.parent_id === null,
      });
    });
  }

  /** Have a question answered again, as a branch beside the former answer. */
  async regenerate(questionId: string): Promise<boolean> {
    const message = this.#view.current?.view.state?.messages[questionId];
    return message === undefined ? false : this.edit(questionId, textOf(message));
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

  async remove(id: string): Promise<void> {
    await this.attempt(() => this.client.call("conversations.delete", { conversation_id: id }));
    if (this.#view.current?.id === id) {
      this.close();
    }
    await this.refresh();
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
