import { useEffect, useRef } from "react";

import type { ModelFacts } from "../conversation/catalog.js";
import { tokens } from "../conversation/cost.js";
import { ModelPrice } from "./ModelPrice.js";
import { providerOf, shortName } from "./modelNames.js";
import { useServices } from "./services.js";

interface Props {
  id: string;
  model: ModelFacts;
  /** Whether its provider has to be named above it. */
  heading: boolean;
  active: boolean;
  chosen: boolean;
  onChoose: () => void;
}

/** A model to choose: its name, what it can do, what it costs. */
export function ModelOption({ id, model, heading, active, chosen, onChoose }: Props) {
  const { catalog, trans } = useServices();
  const option = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (active) {
      option.current?.scrollIntoView({ block: "nearest" });
    }
  }, [active]);
  const provider = providerOf(model.ref);
  const label = catalog.view.providers.find(({ name }) => name === provider)?.label ?? provider;
  const abilities = [
    model.tools === true && trans.__("tools"),
    model.images === true && trans.__("images"),
    model.reasoning === true && trans.__("reasoning"),
    model.window != null && trans.__("%1 window", tokens(model.window)),
  ].filter((ability) => ability !== false);
  return (
    <>
      {heading && (
        <div className="jp-BestChat-optionHeading" role="presentation">
          {label}
        </div>
      )}
      <div
        ref={option}
        id={id}
        role="option"
        aria-selected={chosen}
        aria-disabled={model.ready === false}
        className={`jp-BestChat-option ${active ? "jp-mod-active" : ""}`}
        onClick={onChoose}
      >
        <div className="jp-BestChat-optionLine">
          <span className="jp-BestChat-optionName">{shortName(model.ref)}</span>
          <span className="jp-BestChat-muted">{model.label}</span>
          <span className="jp-BestChat-spacer" />
          <ModelPrice model={model.ref} />
        </div>
        <div className="jp-BestChat-muted">
          {model.ready === false ? model.todo : abilities.join(" · ")}
        </div>
      </div>
    </>
  );
}
