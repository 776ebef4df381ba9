import { useState } from "react";

import { FirstContact } from "./contact/FirstContact.js";
import { FoundCard } from "./contact/FoundCard.js";
import { HereCard } from "./contact/HereCard.js";
import { isMissing, MissingCard } from "./contact/MissingCard.js";
import { TourCard } from "./contact/TourCard.js";
import { chatIcon } from "./icons.js";
import { Notice } from "./Notice.js";
import { useServices } from "./services.js";
import { useChosenModel } from "./useChosenModel.js";
import { useContextItems } from "./useContextItems.js";
import { useView } from "./useSignal.js";

/** What stands where nothing has been said yet: what can be done here, and what is still missing. */
export function Welcome({
  onAsk,
}: {
  onAsk: (text: string, along: readonly string[]) => void;
}) {
  const { catalog, trans } = useServices();
  const { items } = useContextItems();
  const { models, providers, error, loading } = useView(catalog);
  const chosen = useChosenModel();
  const [looked, setLooked] = useState(0);
  if (error !== null) {
    return (
      <div className="jp-BestChat-welcome">
        {isMissing(error) ? (
          <MissingCard error={error} />
        ) : (
          <Notice
            kind="error"
            text={error.message}
            hint={error.hint}
            actions={[{ label: trans.__("Try again"), run: () => catalog.refresh(true) }]}
          />
        )}
      </div>
    );
  }
  if (models === null || (chosen === null && loading && providers.length === 0)) {
    return <div className="jp-BestChat-welcome" aria-busy />;
  }
  if (chosen === null) {
    return <FirstContact />;
  }
  const looking = items.some(({ kind }) => kind === "notebook");
  const examples = [
    ...(looking ? [trans.__("Explain what this notebook does")] : []),
    trans.__("Write a function that reads a CSV file and plots its columns"),
    trans.__("What does a KeyError in pandas mean?"),
  ];
  return (
    <div
      className="jp-BestChat-welcome"
      onPointerEnter={() => {
        setLooked(looked + 1);
      }}
    >
      <chatIcon.react tag="div" width="32px" height="32px" />
      <h3>{trans.__("What are you working on?")}</h3>
      <HereCard looked={looked} />
      <FoundCard />
      <div className="jp-BestChat-examples">
        {examples.map((example) => (
          <button
            key={example}
            type="button"
            className="jp-BestChat-button"
            onClick={() => {
              onAsk(example, looking && example === examples[0] ? ["notebook"] : []);
            }}
          >
            {example}
          </button>
        ))}
      </div>
      <TourCard />
    </div>
  );
}
