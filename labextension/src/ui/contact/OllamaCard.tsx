import { copyIcon } from "@jupyterlab/ui-components";

import { tokens } from "../../conversation/cost.js";
import { CopyButton } from "../CopyButton.js";
import { shortName } from "../modelNames.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";
import type { Ollama } from "./ollama.js";

const PULL = "ollama pull qwen3:4b";

interface Props {
  ollama: Ollama;
  onLook: () => void;
}

/** First contact: an Ollama that runs, and its models; or the line that brings one. */
export function OllamaCard({ ollama, onLook }: Props) {
  const { manager, catalog, trans } = useServices();
  const { providers } = useView(catalog);
  const { here } = providers.find(({ name }) => name === "ollama") ?? { here: false };
  if (ollama.kind !== "there" && ollama.kind !== "empty") {
    return null;
  }
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("Ollama")}>
      <h4>{here === true ? trans.__("Ollama runs on this machine") : trans.__("Ollama was found")}</h4>
      {here === true && <p>{trans.__("What you ask it stays on this machine, and costs nothing.")}</p>}
      {ollama.kind === "there" ? (
        <ul className="jp-BestChat-found">
          {ollama.models.map(({ ref, window }) => (
            <li key={ref}>
              <span className="jp-BestChat-queueText">{shortName(ref)}</span>
              {window != null && (
                <span className="jp-BestChat-muted">{trans.__("%1 window", tokens(window))}</span>
              )}
              <button
                type="button"
                className="jp-BestChat-button"
                aria-label={trans.__("Use %1", shortName(ref))}
                onClick={() => {
                  manager.chooseModel(ref);
                  void catalog.refresh();
                }}
              >
                {trans.__("Use")}
              </button>
            </li>
          ))}
        </ul>
      ) : (
        <>
          <p>{trans.__("It has no model yet. Type this in a terminal, and look again:")}</p>
          <div className="jp-BestChat-command">
            <code>{PULL}</code>
            <CopyButton text={PULL} icon={copyIcon} label={trans.__("Copy command")} />
          </div>
          <div className="jp-BestChat-row">
            <button type="button" className="jp-BestChat-button" onClick={onLook}>
              {trans.__("Look again")}
            </button>
          </div>
        </>
      )}
    </section>
  );
}
