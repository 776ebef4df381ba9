import { caretDownEmptyIcon } from "@jupyterlab/ui-components";
import { useId, useState } from "react";

import { ModelMenu } from "./ModelMenu.js";
import { shortName } from "./modelNames.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

/** Says who is to answer, and opens the choice. */
export function ModelPicker() {
  const { manager, catalog, trans } = useServices();
  const { model } = useView(manager);
  const { models } = useView(catalog);
  const [open, setOpen] = useState(false);
  const id = useId();
  const ref = model ?? models?.default ?? null;
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
          if (!open) {
            void catalog.refresh();
          }
          setOpen(!open);
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
            setOpen(false);
          }}
        />
      )}
    </div>
  );
}
