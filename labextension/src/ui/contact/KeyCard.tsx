import { useState } from "react";

import { ProviderForm } from "../ProviderForm.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";

/** First contact: paste a key. */
export function KeyCard() {
  const { catalog, trans } = useServices();
  const { providers } = useView(catalog);
  const [name, setName] = useState("openai");
  const keyed = providers.filter(({ key_name, permitted, needs }) => key_name !== null && permitted && needs.length <= 1);
  const provider = keyed.find((one) => one.name === name);
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("Paste a key")}>
      <h4>{trans.__("Paste a key")}</h4>
      <label className="jp-BestChat-field">
        {trans.__("Provider")}
        <select
          className="jp-BestChat-input"
          value={name}
          onChange={(event) => {
            setName(event.target.value);
          }}
        >
          {keyed.map((one) => (
            <option key={one.name} value={one.name}>
              {one.label}
            </option>
          ))}
        </select>
      </label>
      {provider !== undefined && <ProviderForm key={name} provider={provider} fields="key" />}
    </section>
  );
}
