import { deleteIcon } from "@jupyterlab/ui-components";
import { useEffect, useState } from "react";

import type { Conversation } from "../conversation/state.js";
import { IconButton } from "./IconButton.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";
import { dayOf } from "./days.js";

/** One's conversations, the last changed first. */
export function History({ onOpen }: { onOpen: () => void }) {
  const { manager, trans } = useServices();
  const { conversations, current } = useView(manager);
  const [query, setQuery] = useState("");
  useEffect(() => {
    void manager.refresh();
  }, [manager]);
  const fits = ({ title, label }: Conversation): boolean =>
    `${title ?? ""} ${label ?? ""}`.toLowerCase().includes(query.toLowerCase());
  const found = conversations.filter(fits);
  return (
    <div className="jp-BestChat-history">
      <input
        type="search"
        className="jp-BestChat-input"
        aria-label={trans.__("Search conversations")}
        placeholder={trans.__("Search conversations")}
        autoFocus
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
        }}
      />
      <ul className="jp-BestChat-list">
        {found.map((conversation, index) => {
          const day = dayOf(conversation.updated_at, trans);
          const before = found[index - 1];
          return (
            <li key={conversation.id}>
              {(before === undefined || dayOf(before.updated_at, trans) !== day) && (
                <div className="jp-BestChat-optionHeading">{day}</div>
              )}
              <div
                className={`jp-BestChat-listItem ${conversation.id === current?.id ? "jp-mod-active" : ""}`}
              >
                <button
                  type="button"
                  className="jp-BestChat-listButton"
                  aria-current={conversation.id === current?.id}
                  onClick={() => {
                    manager.open(conversation.id);
                    onOpen();
                  }}
                >
                  <span>{conversation.title === undefined || conversation.title === "" ? trans.__("Untitled") : conversation.title}</span>
                  {conversation.label !== undefined && (
                    <span className="jp-BestChat-muted">{conversation.label}</span>
                  )}
                </button>
                <IconButton
                  icon={deleteIcon}
                  label={trans.__("Delete")}
                  onClick={() => void manager.remove(conversation.id)}
                />
              </div>
            </li>
          );
        })}
      </ul>
      {found.length === 0 && (
        <p className="jp-BestChat-empty">
          {query === ""
            ? trans.__("There is no conversation yet. What you ask here, in a %%chat cell or from a script appears in this list.")
            : trans.__("Nothing was found.")}
        </p>
      )}
    </div>
  );
}
