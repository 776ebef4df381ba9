import { useState } from "react";

import type { ModelFacts, ProviderInfo } from "../../conversation/catalog.js";
import { HelpLink } from "../HelpLink.js";
import { Notice } from "../Notice.js";
import { ProviderForm } from "../ProviderForm.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";
import { standingOf, type Standing } from "./standing.js";

/** Those that can be asked come first. */
const ORDER: readonly Standing[] = ["ready", "unasked", "failed", "missing"];

/** The providers and how each is set up. */
export function Providers() {
  const { catalog, trans } = useServices();
  const { providers, models, site, error } = useView(catalog);
  const [query, setQuery] = useState("");
  const listed = models?.models ?? [];
  const order = (provider: ProviderInfo): number => ORDER.indexOf(standingOf(provider, listed, null));
  const found = providers
    .filter(({ label, name }) => `${label} ${name}`.toLowerCase().includes(query.toLowerCase()))
    .toSorted((one, other) => order(one) - order(other));
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
          models={listed}
          locked={!site.userKeys || !provider.permitted}
        />
      ))}
      {providers.length > 0 && found.length === 0 && (
        <p className="jp-BestChat-empty">{trans.__("Nothing was found.")}</p>
      )}
    </>
  );
}

interface ItemProps {
  provider: ProviderInfo;
  models: readonly ModelFacts[];
  locked: boolean;
}

function ProviderItem({ provider, models, locked }: ItemProps) {
  const { trans } = useServices();
  const [works, setWorks] = useState<boolean | null>(null);
  const standing = standingOf(provider, models, works);
  const fromAddress = provider.variable !== "" && provider.variable === provider.url_name;
  const origin = {
    "": {
      ready: trans.__("ready"),
      unasked: trans.__("nothing to set up"),
      failed: trans.__("did not answer"),
      missing: "",
    }[standing],
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
        <span className={standing === "ready" ? "jp-BestChat-dot jp-mod-on" : "jp-BestChat-dot"} />
        {provider.label}
        <span className="jp-BestChat-spacer" />
        <span className="jp-BestChat-muted">
          {provider.permitted ? (unreadable ? trans.__("needs its key again") : origin) : trans.__("locked by the site")}
        </span>
      </summary>
      {locked ? (
        <p className="jp-BestChat-muted">{trans.__("Your site has locked this: it cannot be changed here.")}</p>
      ) : (
        <ProviderForm provider={provider} fields="all" onTested={setWorks} />
      )}
      {provider.docs !== "" && (
        <a href={provider.docs} target="_blank" rel="noopener noreferrer">
          {trans.__("Models and keys of %1", provider.label)}
        </a>
      )}
    </details>
  );
}
