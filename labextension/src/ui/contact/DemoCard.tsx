import { copyIcon } from "@jupyterlab/ui-components";

import { CopyButton } from "../CopyButton.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";

const DEMO = "local/smollm2-135m";
const COMMAND = "bestchat models add smollm2-135m";

/** First contact: try the demo model. */
export function DemoCard() {
  const { catalog, manager, trans } = useServices();
  useView(catalog);
  const facts = catalog.facts(DEMO);
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("Try the demo model")}>
      <h4>{trans.__("Try the demo model")}</h4>
      <p>
        {trans.__("93 MB, runs on your own processor, needs no key. It shows that everything works and is often wrong: not for real work.")}
      </p>
      {facts?.ready === true ? (
        <button
          type="button"
          className="jp-BestChat-button"
          onClick={() => {
            manager.chooseModel(DEMO);
          }}
        >
          {trans.__("Use the demo model")}
        </button>
      ) : (
        <div className="jp-BestChat-command">
          <code>{COMMAND}</code>
          <CopyButton text={COMMAND} icon={copyIcon} label={trans.__("Copy command")} />
        </div>
      )}
    </section>
  );
}
