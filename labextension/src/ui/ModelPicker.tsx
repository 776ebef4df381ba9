import { caretDownEmptyIcon } from "@jupyterlab/ui-components";
import { useCallback, useId, useRef } from "react";

import { ModelMenu } from "./ModelMenu.js";
import { shortName } from "./modelNames.js";
import { useServices } from "./services.js";
import { useChosenModel } from "./useChosenModel.js";
import { useView } from "./useSignal.js";

/** Says who is to answer, and opens the choice; `onChosen` is told when somebody has made it. */
export function ModelPicker({ onChosen }: { onChosen: () => void }) {
  const { catalog, trans } = useServices();
  const { choosing: open } = useView(catalog);
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const ref = useChosenModel();
  const facts = ref === null ? null : catalog.facts(ref);
  const close = useCallback((): void => {
    catalog.choose(false);
  }, [catalog]);
  return (
    <div className="jp-BestChat-picker">
      <button
        ref={button}
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
          onClose={close}
          onChosen={() => {
            close();
            onChosen();
          }}
          onLeave={(opener) => {
            close();
            const ours = opener instanceof HTMLElement && opener.closest(".jp-BestChat") !== null;
            (ours ? opener : button.current)?.focus();
          }}
        />
      )}
    </div>
  );
}
