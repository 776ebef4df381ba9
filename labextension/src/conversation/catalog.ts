/** Which models can be asked, and how the providers are set up. */

import { Signal, type ISignal } from "@lumino/signaling";

import type { Client, Schemas } from "../api/client.js";
import { asApiError, type ApiError } from "../api/errors.js";

export type ModelFacts = Schemas["ModelFacts"];
export type ModelList = Schemas["ModelList"];
export type ProviderInfo = Schemas["ProviderInfo"];

export interface CatalogView {
  /** None until the server has answered. */
  readonly models: ModelList | null;
  readonly providers: readonly ProviderInfo[];
  /** Whether users may bring keys of their own. */
  readonly userKeys: boolean;
  readonly loading: boolean;
  readonly error: ApiError | null;
}

const NOTHING: CatalogView = {
  models: null,
  providers: [],
  userKeys: true,
  loading: false,
  error: null,
};

export class Catalog {
  readonly #client: Client;
  readonly #changed = new Signal<this, CatalogView>(this);
  #view = NOTHING;

  constructor(client: Client) {
    this.#client = client;
  }

  get view(): CatalogView {
    return this.#view;
  }

  get changed(): ISignal<this, CatalogView> {
    return this.#changed;
  }

  /** Facts of a model, if it is listed. */
  facts(ref: string): ModelFacts | null {
    return this.#view.models?.models.find((model) => model.ref === ref) ?? null;
  }

  /**
   * Ask again. `knownOnly` leaves out what providers would have to be asked for over the network:
   * nothing is called before somebody chooses a model.
   */
  async refresh(knownOnly = false): Promise<void> {
    this.#show({ loading: true });
    try {
      const [models, { providers }, userKeys] = await Promise.all([
        this.#client.call("models.list", { known_only: knownOnly }),
        this.#client.call("providers.list", {}),
        this.#userKeys(),
      ]);
      this.#show({ models, providers, userKeys, loading: false, error: null });
    } catch (error) {
      this.#show({ loading: false, error: asApiError(error) });
    }
  }

  async #userKeys(): Promise<boolean> {
    const { options } = await this.#client.call("system.options", {});
    const option = options.find(({ name }) => name === "allow_user_keys");
    return option?.value.toLowerCase() !== "false";
  }

  #show(change: Partial<CatalogView>): void {
    this.#view = { ...this.#view, ...change };
    this.#changed.emit(this.#view);
  }
}
