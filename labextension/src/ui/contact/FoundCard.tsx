import { useState } from "react";

import { providerOf, shortName } from "../modelNames.js";
import { ModelPrice } from "../ModelPrice.js";
import { useServices } from "../services.js";
import { useChosenModel } from "../useChosenModel.js";
import { useView } from "../useSignal.js";

/** Says once who answers, why, and at which price: nobody may have chosen it. */
export function FoundCard() {
  const { manager, catalog, memory, trans } = useServices();
  const { providers } = useView(catalog);
  const ref = useChosenModel() ?? "";
  const [read, setRead] = useState(() => memory.get("met"));
  const provider = providers.find(({ name }) => name === providerOf(ref));
  if (read === ref || manager.view.model !== null || provider === undefined) {
    return null;
  }
  const { label, variable, source, here } = provider;
  const why =
    variable === ""
      ? source === "site"
        ? trans.__("%1 is provided by your site.", label)
        : trans.__("%1 is set up.", label)
      : trans.__("%1 was found in the environment.", variable);
  const name = shortName(ref);
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("Who answers")}>
      <p>
        {why} {trans.__("%1 answers.", name)} <ModelPrice model={ref} full />{" "}
        {here === true && trans.__("What you ask it stays on this machine.")}
      </p>
      <div className="jp-BestChat-row">
        <button
          type="button"
          className="jp-BestChat-button"
          onClick={() => {
            memory.set("met", ref);
            setRead(ref);
          }}
        >
          {trans.__("OK")}
        </button>
        <button
          type="button"
          className="jp-BestChat-button"
          onClick={() => {
            catalog.choose(true);
          }}
        >
          {trans.__("Change…")}
        </button>
      </div>
    </section>
  );
}
