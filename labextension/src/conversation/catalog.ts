/** Which models can be asked, and how the providers are set up. */

import { Signal, type ISignal } from "@lumino/signaling";

import type { Client, Schemas } from "../api/client.js";
import { asApiError, type ApiError } from "../api/errors.js";
import { NO_SITE, siteOf, type Site } from "./site.js";

export type ModelFacts = Schemas["ModelFacts"];
export type ModelList = Schemas["ModelList"];
export type Prices = Schemas["Prices"];
export type ProviderInfo = Schemas["ProviderInfo"];

export interface CatalogView {
  /** None until the server has answered. */
  readonly models: ModelList | null;
  readonly providers: readonly ProviderInfo[];
  readonly site: Site;
  readonly loading: boolean;
  /** Whether somebody is choosing a model. */
  readonly choosing: boolean;
  readonly error: ApiError | null;
}

const NOTHING: CatalogView = {
  models: null,
  providers: [],
  site: NO_SITE,
  loading: false,
  choosing: false,
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

  /** What a model costs; null where that is not known, as on a server that we were pointed at. */
  prices(ref: string): Prices | null {
    const name = ref.slice(0, ref.indexOf("/"));
    const moved = this.#view.providers.find((provider) => provider.name === name)?.redirected;
    return moved === true ? null : (this.facts(ref)?.prices ?? null);
  }

  /** Begin or end the choice of a model; whoever begins it is shown what there is now. */
  choose(choosing: boolean): void {
    this.#show({ choosing });
    if (choosing) {
      void this.refresh();
    }
  }

  /**
   * Ask again. `knownOnly` leaves out what providers would have to be asked for over the network:
   * nothing is called before somebody chooses a model.
   */
  async refresh(knownOnly = false): Promise<void> {
    this.#show({ loading: true });
    try {
      const [models, { providers }, { options }] = await Promise.all([
        this.#client.call("models.list", { known_only: knownOnly }),
        this.#client.call("providers.list", {}),
        this.#client.call("system.options", {}),
      ]);
      this.#show({
        models: withLeftOut(models, this.#view.models),
        providers,
        site: siteOf(options),
        loading: false,
        error: null,
      });
    } catch (error) {
      this.#show({ loading: false, error: asApiError(error) });
    }
  }

  #show(change: Partial<CatalogView>): void {
    this.#view = { ...this.#view, ...change };
    this.#changed.emit(this.#view);
  }
}

/** Models with what was known of providers that did not answer this time: they may well do later. */
function withLeftOut(models: ModelList, before: ModelList | null): ModelList {
  const silent = new Set(models.left_out?.map(({ provider }) => provider));
  const listed = new Set(models.models.map(({ ref }) => ref));
  const kept = (before?.models ?? []).filter(
    ({ ref }) => silent.has(ref.slice(0, ref.indexOf("/"))) && !listed.has(ref),
  );
  return { ...models, models: [...models.models, ...kept] };
}
