import { useState } from "react";

import { ProviderForm } from "../ProviderForm.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";

const KINDS = ["ollama", "custom"] as const;

/** First contact: connect Ollama, or a server that speaks OpenAI's format. */
export function AddressCard() {
  const { catalog, trans } = useServices();
  const { providers } = useView(catalog);
  const [name, setName] = useState<string>(KINDS[0]);
  const there = providers.filter((one) => KINDS.some((kind) => kind === one.name) && one.permitted);
  const provider = there.find((one) => one.name === name);
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("Connect Ollama or a URL")}>
      <h4>{trans.__("Connect Ollama or a URL")}</h4>
      <div className="jp-BestChat-row" role="radiogroup" aria-label={trans.__("Kind of server")}>
        {there.map((one) => (
          <label key={one.name}>
            <input
              type="radio"
              name="jp-BestChat-address"
              checked={one.name === name}
              onChange={() => {
                setName(one.name);
              }}
            />{" "}
            {one.label}
          </label>
        ))}
      </div>
      {name === "ollama" && (
        <p className="jp-BestChat-muted">
          {trans.__("What you ask an Ollama on this machine stays on this machine.")}
        </p>
      )}
      {provider !== undefined && <ProviderForm key={name} provider={provider} fields="address" />}
    </section>
  );
}
