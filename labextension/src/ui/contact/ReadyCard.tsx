import type { ProviderInfo } from "../../conversation/catalog.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";
import { ModelPrice } from "../ModelPrice.js";
import { shortName } from "../modelNames.js";

/** Providers that can be asked, and would answer with a model of their own. */
export function readyOnes(providers: readonly ProviderInfo[]): ProviderInfo[] {
  return providers.filter(
    ({ configured, permitted, source, default: model }) =>
      configured && permitted && source !== "" && model !== null,
  );
}

/** First contact: several providers are set up, and somebody has to choose; once. */
export function ReadyCard() {
  const { manager, catalog, trans } = useServices();
  const { providers } = useView(catalog);
  const ready = readyOnes(providers);
  if (ready.length === 0) {
    return null;
  }
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("Ready to answer")}>
      <h4>{trans.__("Ready to answer")}</h4>
      <ul className="jp-BestChat-found">
        {ready.map(({ name, label, variable, default: ref }) => (
          <li key={name}>
            <span className="jp-BestChat-queueText">
              {shortName(ref ?? "")}{" "}
              <span className="jp-BestChat-muted">
                {variable === "" ? label : trans.__("%1, by %2", label, variable)}
              </span>
            </span>
            <ModelPrice model={ref ?? ""} />
            <button
              type="button"
              className="jp-BestChat-button"
              aria-label={trans.__("Use %1", shortName(ref ?? ""))}
              onClick={() => {
                manager.chooseModel(ref);
              }}
            >
              {trans.__("Use")}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
