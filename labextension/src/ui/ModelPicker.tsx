import { caretDownEmptyIcon } from "@jupyterlab/ui-components";
import { useId } from "react";

import { ModelMenu } from "./ModelMenu.js";
import { shortName } from "./modelNames.js";
import { useServices } from "./services.js";
import { useChosenModel } from "./useChosenModel.js";
import { useView } from "./useSignal.js";

/** Says who is to answer, and opens the choice. */
export function ModelPicker() {
  const { catalog, trans } = useServices();
  const { choosing: open } = useView(catalog);
  const id = useId();
  const ref = useChosenModel();
  const facts = ref === null ? null : catalog.facts(ref);
  return (
    <div className="jp-BestChat-picker">
      <button
        type="button"
        className="jp-BestChat-pickerButton"
        aria-haspopup="listbox"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        title={ref ?? trans.__("Choose who is to answer")}
        onClick={() => {
          catalog.choose(!open);
        }}
      >
        <span className="jp-BestChat-pickerName">
          {ref === null ? trans.__("Choose a model") : shortName(ref)}
        </span>
        {facts?.label != null && facts.label !== "" && (
          <span className="jp-BestChat-muted">{facts.label}</span>
        )}
        <caretDownEmptyIcon.react tag="span" width="12px" />
      </button>
      {open && (
        <ModelMenu
          id={id}
          chosen={ref}
          onClose={() => {
            catalog.choose(false);
          }}
        />
      )}
    </div>
  );
}
