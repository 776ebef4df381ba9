import { useEffect, useId, useState, type KeyboardEvent } from "react";

import { useServices } from "../services.js";
import { Answers } from "./Answers.js";
import { Data } from "./Data.js";
import { Providers } from "./Providers.js";
import { Usage } from "./Usage.js";

const PAGES = { providers: Providers, answers: Answers, usage: Usage, data: Data } as const;
type Page = keyof typeof PAGES;
const ORDER = Object.keys(PAGES) as Page[];

/** Everything that can be set and looked up, page by page. */
export function Settings() {
  const { catalog, trans } = useServices();
  const [page, setPage] = useState<Page>("providers");
  const id = useId();
  useEffect(() => {
    void catalog.refresh(true);
  }, [catalog]);
  const names = {
    providers: trans.__("Providers"),
    answers: trans.__("Answers"),
    usage: trans.__("Usage"),
    data: trans.__("Data"),
  };
  const key = (event: KeyboardEvent<HTMLElement>): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = step === undefined ? undefined : ORDER.at((ORDER.indexOf(page) + step) % ORDER.length);
    if (next !== undefined) {
      setPage(next);
      event.currentTarget.querySelector<HTMLElement>(`[data-page="${next}"]`)?.focus();
    }
  };
  const Shown = PAGES[page];
  return (
    <>
      <div className="jp-BestChat-tabs" role="tablist" aria-label={trans.__("Settings")} onKeyDown={key}>
        {ORDER.map((one) => (
          <button
            key={one}
            id={`${id}-${one}`}
            type="button"
            role="tab"
            data-page={one}
            aria-selected={one === page}
            aria-controls={`${id}-page`}
            tabIndex={one === page ? 0 : -1}
            onClick={() => {
              setPage(one);
            }}
          >
            {names[one]}
          </button>
        ))}
      </div>
      <div
        id={`${id}-page`}
        className="jp-BestChat-settings"
        role="tabpanel"
        aria-labelledby={`${id}-${page}`}
      >
        <Shown />
      </div>
    </>
  );
}
