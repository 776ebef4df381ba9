import { useEffect, useRef } from "react";

import { useTrans } from "./services.js";
import type { Offered, Option } from "./useCompletion.js";

interface Props {
  id: string;
  offered: Offered;
  active: number;
  onChoose: (option: Option) => void;
}

/** The id of one row, for whoever says which one is active. */
export function optionId(listId: string, index: number): string {
  return `${listId}-${String(index)}`;
}

/** What can be completed where one writes. */
export function CompletionList({ id, offered, active, onChoose }: Props) {
  const trans = useTrans();
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const label = offered.trigger.kind === "mention" ? trans.__("Mentions") : trans.__("Commands");
  return (
    <div className="jp-BestChat-menu jp-BestChat-completion">
      <div ref={list} id={id} className="jp-BestChat-options" role="listbox" aria-label={label}>
        {offered.options.map((option, index) => (
          <div
            key={option.label}
            id={optionId(id, index)}
            className={`jp-BestChat-option ${index === active ? "jp-mod-active" : ""}`}
            role="option"
            aria-selected={index === active}
            // The field keeps the focus.
            onPointerDown={(event) => {
              event.preventDefault();
            }}
            onClick={() => {
              onChoose(option);
            }}
          >
            <div className="jp-BestChat-optionLine">
              <span className="jp-BestChat-optionName">{option.label}</span>
              <span className="jp-BestChat-muted jp-BestChat-optionDetail">{option.detail}</span>
            </div>
          </div>
        ))}
      </div>
      <div className="jp-BestChat-menuFoot" role="status">
        {offered.notes.map((note) => (
          <div key={note}>{note}</div>
        ))}
      </div>
    </div>
  );
}
