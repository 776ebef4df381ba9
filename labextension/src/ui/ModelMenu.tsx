import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";

import type { ModelFacts } from "../conversation/catalog.js";
import { ModelOption } from "./ModelOption.js";
import { providerOf } from "./modelNames.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

/** Rows that are shown at once; a search finds the others. */
const MOST = 60;

interface Props {
  id: string;
  chosen: string | null;
  /** A model was chosen. */
  onChosen: () => void;
  /** Something else was pointed at. */
  onClose: () => void;
  /** The choice was left by the keyboard, which had come from `opener`. */
  onLeave: (opener: Element | null) => void;
}

/** The models of the configured providers, to choose from. */
export function ModelMenu({ id, chosen, onChosen, onClose, onLeave }: Props) {
  const { manager, catalog, trans } = useServices();
  const { models, loading, error } = useView(catalog);
  const [query, setQuery] = useState("");
  const [pointed, setActive] = useState<number | null>(null);
  const [opener] = useState(() => document.activeElement);
  const box = useRef<HTMLDivElement>(null);
  const found = useMemo(() => search(models?.models ?? [], query), [models, query]);
  const active = pointed ?? Math.max(0, query === "" ? found.findIndex(({ ref }) => ref === chosen) : 0);

  useEffect(() => {
    const outside = (event: PointerEvent): void => {
      const { target } = event;
      if (target instanceof Node && box.current?.parentElement?.contains(target) === false) {
        onClose();
      }
    };
    document.addEventListener("pointerdown", outside, true);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
    };
  }, [onClose]);

  const choose = (model: ModelFacts | undefined): void => {
    if (model !== undefined && model.ready !== false) {
      manager.chooseModel(model.ref);
      onChosen();
    }
  };
  const key = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setActive((active + step + found.length) % Math.max(1, found.length));
    } else if (event.key === "Enter") {
      choose(found[active]);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      onLeave(opener);
    }
  };

  return (
    <div ref={box} className="jp-BestChat-menu" onKeyDown={key}>
      <input
        className="jp-BestChat-input"
        role="combobox"
        aria-expanded
        aria-controls={id}
        aria-activedescendant={found.length > 0 ? `${id}-${String(active)}` : undefined}
        aria-label={trans.__("Search models")}
        placeholder={trans.__("Search models")}
        autoFocus
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
      />
      <div id={id} className="jp-BestChat-options" role="listbox" aria-label={trans.__("Models")}>
        {found.map((model, index) => (
          <ModelOption
            key={model.ref}
            id={`${id}-${String(index)}`}
            model={model}
            heading={providerOf(model.ref) !== providerOf(found[index - 1]?.ref ?? "")}
            active={index === active}
            chosen={model.ref === chosen}
            onChoose={() => {
              choose(model);
            }}
          />
        ))}
      </div>
      <div className="jp-BestChat-menuFoot" aria-live="polite">
        {loading && trans.__("Asking the providers…")}
        {!loading && found.length === 0 && trans.__("No model has that name.")}
        {error !== null && `${error.message} ${error.hint}`}
        {models?.left_out?.map(({ provider, reason }) => (
          <div key={provider}>{reason}</div>
        ))}
      </div>
    </div>
  );
}

function search(models: readonly ModelFacts[], query: string): ModelFacts[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ ref, label }: ModelFacts): boolean => {
    const text = `${ref} ${label ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const ready = ({ ready }: ModelFacts): number => (ready === false ? 1 : 0);
  return models
    .filter(fits)
    .toSorted((one, other) => ready(one) - ready(other))
    .slice(0, MOST);
}
