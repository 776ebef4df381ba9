import { useState } from "react";

import type { Schemas } from "../api/client.js";
import { asApiError, type ApiError } from "../api/errors.js";
import type { ProviderInfo } from "../conversation/catalog.js";
import { Notice } from "./Notice.js";
import { useServices } from "./services.js";

type Verdict = Schemas["Verdict"];

interface Props {
  provider: ProviderInfo;
  fields: "key" | "address" | "all";
  /** Told what a test has found: whether the provider answers; none while that is not known. */
  onTested?: (works: boolean | null) => void;
}

/** Sets a provider up: its key, which can be written and never read, and its address; then tries it. */
export function ProviderForm({ provider, fields, onTested }: Props) {
  const { manager, catalog, trans } = useServices();
  const { stored } = provider;
  const [key, setKey] = useState("");
  const [address, setAddress] = useState(stored?.base_url ?? "");
  const [busy, setBusy] = useState(false);
  const [verdict, setVerdict] = useState<Verdict | null>(null);
  const [error, setError] = useState<ApiError | null>(null);

  const attempt = async (action: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(null);
    setVerdict(null);
    onTested?.(null);
    try {
      await action();
    } catch (reason) {
      setError(asApiError(reason));
    }
    setBusy(false);
  };
  const test = async (): Promise<boolean> => {
    const found = await manager.client.call("providers.test", { provider: provider.name });
    setVerdict(found);
    onTested?.(found.code === "ok");
    return found.code === "ok";
  };
  const save = (): Promise<void> =>
    attempt(async () => {
      await manager.client.call("providers.configure", {
        provider: provider.name,
        ...(key === "" ? {} : { key }),
        ...(address === (stored?.base_url ?? "") ? {} : { base_url: address }),
      });
      setKey("");
      // At first contact the cards go away when somebody can answer: not before it is known to work.
      if ((await test()) || fields === "all") {
        await catalog.refresh();
      }
    });

  const withKey = fields !== "address" || provider.name !== "ollama";
  return (
    <form
      className="jp-BestChat-form"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      {withKey && provider.key_name !== null && (
        <label className="jp-BestChat-field">
          {trans.__("Key")}
          <input
            type="password"
            className="jp-BestChat-input"
            autoComplete="off"
            placeholder={stored?.has_key === true ? `…${stored.last_four}` : provider.key_name}
            value={key}
            onChange={(event) => {
              setKey(event.target.value);
            }}
          />
        </label>
      )}
      {fields !== "key" && provider.url_name !== null && (
        <label className="jp-BestChat-field">
          {trans.__("Address")}
          <input
            type="url"
            className="jp-BestChat-input"
            placeholder={provider.name === "ollama" ? "http://127.0.0.1:11434" : "https://host/v1"}
            value={address}
            onChange={(event) => {
              setAddress(event.target.value);
            }}
          />
        </label>
      )}
      <div className="jp-BestChat-row">
        <button
          type="submit"
          className="jp-BestChat-button jp-mod-primary"
          disabled={busy || (key === "" && fields === "key")}
        >
          {trans.__("Save and test")}
        </button>
        {fields === "all" && provider.configured && (
          <button type="button" className="jp-BestChat-button" disabled={busy} onClick={() =>
              void attempt(async () => {
                await test();
              })
            }>
            {trans.__("Test")}
          </button>
        )}
        {fields === "all" && stored != null && (
          <button
            type="button"
            className="jp-BestChat-button"
            disabled={busy}
            onClick={() =>
              void attempt(async () => {
                await manager.client.call("providers.forget", { provider: provider.name });
                setAddress("");
                await catalog.refresh();
              })
            }
          >
            {trans.__("Forget")}
          </button>
        )}
      </div>
      {verdict !== null && (
        <Notice kind={verdict.code === "ok" ? "info" : "error"} text={verdict.text} hint={verdict.hint} />
      )}
      {error !== null && <Notice kind="error" text={error.message} hint={error.hint} />}
    </form>
  );
}
