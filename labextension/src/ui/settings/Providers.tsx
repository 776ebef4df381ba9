import { useState } from "react";

import type { ProviderInfo } from "../../conversation/catalog.js";
import { HelpLink } from "../HelpLink.js";
import { Notice } from "../Notice.js";
import { ProviderForm } from "../ProviderForm.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";

/** The providers and how each is set up. */
export function Providers() {
  const { catalog, trans } = useServices();
  const { providers, site, error } = useView(catalog);
  const [query, setQuery] = useState("");
  const ready = (provider: ProviderInfo): number => (provider.configured ? 0 : 1);
  const found = providers
    .filter(({ label, name }) => `${label} ${name}`.toLowerCase().includes(query.toLowerCase()))
    .toSorted((one, other) => ready(one) - ready(other));
  return (
    <>
      {error !== null && <Notice kind="error" text={error.message} hint={error.hint} />}
      {!site.userKeys && (
        <Notice
          kind="info"
          text={trans.__("Your site provides the models; keys of your own are switched off.")}
        />
      )}
      <HelpLink />
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
        <ProviderItem
          key={provider.name}
          provider={provider}
          locked={!site.userKeys || !provider.permitted}
        />
      ))}
      {providers.length > 0 && found.length === 0 && (
        <p className="jp-BestChat-empty">{trans.__("Nothing was found.")}</p>
      )}
    </>
  );
}

function ProviderItem({ provider, locked }: { provider: ProviderInfo; locked: boolean }) {
  const { trans } = useServices();
  const fromAddress = provider.variable !== "" && provider.variable === provider.url_name;
  const origin = {
    "": provider.configured ? trans.__("ready") : "",
    environment: fromAddress
      ? trans.__("address found in %1", provider.variable)
      : trans.__("key found in %1", provider.variable),
    site: trans.__("provided by the site"),
    user: trans.__("set up by you"),
  }[provider.source];
  const unreadable = provider.problem === "key_unreadable";
  return (
    <details className="jp-BestChat-fold jp-BestChat-provider">
      <summary>
        <span className={provider.configured && provider.permitted ? "jp-BestChat-dot jp-mod-on" : "jp-BestChat-dot"} />
        {provider.label}
        <span className="jp-BestChat-spacer" />
        <span className="jp-BestChat-muted">
          {provider.permitted ? (unreadable ? trans.__("needs its key again") : origin) : trans.__("locked by the site")}
        </span>
      </summary>
      {locked ? (
        <p className="jp-BestChat-muted">{trans.__("Your site has locked this: it cannot be changed here.")}</p>
      ) : (
        <ProviderForm provider={provider} fields="all" />
      )}
      {provider.docs !== "" && (
        <a href={provider.docs} target="_blank" rel="noopener noreferrer">
          {trans.__("Models and keys of %1", provider.label)}
        </a>
      )}
    </details>
  );
}
