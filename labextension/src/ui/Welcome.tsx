import { useServices } from "./services.js";
import { useView } from "./useSignal.js";
import { Notice } from "./Notice.js";
import { NO_EXTENSION } from "../api/errors.js";
import { chatIcon } from "./icons.js";
import { FirstContact } from "./FirstContact.js";

/** What stands where nothing has been said yet: what can be done here, and what is still missing. */
export function Welcome({ onAsk }: { onAsk: (text: string) => void }) {
  const { catalog, trans } = useServices();
  const { models, error, loading } = useView(catalog);
  if (error !== null) {
    const missing = error.code === NO_EXTENSION;
    return (
      <div className="jp-BestChat-welcome">
        <Notice
          kind="error"
          text={error.message}
          hint={missing ? trans.__("Run this where the server runs, and start it again: %1", error.hint) : error.hint}
          actions={[{ label: trans.__("Try again"), run: () => catalog.refresh(true) }]}
        />
      </div>
    );
  }
  if (models === null || (models.default === null && loading)) {
    return <div className="jp-BestChat-welcome" aria-busy />;
  }
  if (models.default === null) {
    return <FirstContact />;
  }
  const examples = [
    trans.__("Explain what this notebook does"),
    trans.__("Write a function that reads a CSV file and plots its columns"),
    trans.__("What does a KeyError in pandas mean?"),
  ];
  return (
    <div className="jp-BestChat-welcome">
      <chatIcon.react tag="div" width="32px" height="32px" />
      <h3>{trans.__("What are you working on?")}</h3>
      <p>{trans.__(
          "The same conversations are in %1 cells: what is asked there can be continued here.",
          "%%chat",
        )}</p>
      <div className="jp-BestChat-examples">
        {examples.map((example) => (
          <button
            key={example}
            type="button"
            className="jp-BestChat-button"
            onClick={() => {
              onAsk(example);
            }}
          >
            {example}
          </button>
        ))}
      </div>
    </div>
  );
}
