import { useEffect, useState } from "react";

import type { ProviderInfo } from "../conversation/catalog.js";
import { Notice } from "./Notice.js";
import { ProviderForm } from "./ProviderForm.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

/** The providers and how each is set up. */
export function Settings() {
  const { catalog, trans } = useServices();
  const { providers, userKeys, error } = useView(catalog);
  const [query, setQuery] = useState("");
  useEffect(() => {
    void catalog.refresh(true);
  }, [catalog]);
  const ready = (provider: ProviderInfo): number => (provider.configured ? 0 : 1);
  const found = providers
    .filter(({ label, name }) => `${label} ${name}`.toLowerCase().includes(query.toLowerCase()))
    .toSorted((one, other) => ready(one) - ready(other));
  return (
    <div className="jp-BestChat-settings">
      {error !== null && <Notice kind="error" text={error.message} hint={error.hint} />}
      {!userKeys && (
        <Notice kind="info" text={trans.__("Your site provides the models; keys of your own are switched off.")} />
      )}
      <input
        type="search"
        className="jp-BestChat-input"
        aria-label={trans.__("Search providers")}
        placeholder={trans.__("Search providers")}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
        }}
      />
      {found.map((provider) => (
        <ProviderItem key={provider.name} provider={provider} locked={!userKeys || !provider.permitted} />
      ))}
    </div>
  );
}

function ProviderItem({ provider, locked }: { provider: ProviderInfo; locked: boolean }) {
  const { trans } = useServices();
  const origin = {
    "": provider.configured ? trans.__("ready") : "",
    environment: trans.__("key found in %1", provider.variable),
    site: trans.__("provided by the site"),
    user: trans.__("set up by you"),
  }[provider.source];
  return (
    <details className="jp-BestChat-fold jp-BestChat-provider">
      <summary>
        <span className={provider.configured ? "jp-BestChat-dot jp-mod-on" : "jp-BestChat-dot"} />
        {provider.label}
        <span className="jp-BestChat-spacer" />
        <span className="jp-BestChat-muted">
          {provider.permitted ? origin : trans.__("locked by the site")}
        </span>
      </summary>
      {!locked && <ProviderForm provider={provider} fields="all" />}
      {provider.docs !== "" && (
        <a href={provider.docs} target="_blank" rel="noopener noreferrer">
          {trans.__("Models and keys of %1", provider.label)}
        </a>
      )}
    </details>
  );
}
