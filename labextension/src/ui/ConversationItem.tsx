import { deleteIcon } from "@jupyterlab/ui-components";

import type { Conversation } from "../conversation/state.js";
import { IconButton } from "./IconButton.js";
import { archiveIcon, starIcon, starredIcon } from "./icons.js";
import { shortLabel } from "./labels.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

interface Props {
  conversation: Conversation;
  /** What is to stand above it. */
  heading: string | null;
  onOpen: (id: string) => void;
}

/** A conversation in the list. */
export function ConversationItem({ conversation, heading, onOpen }: Props) {
  const { manager, trans } = useServices();
  const { current } = useView(manager);
  const { id, title = "", label = "", starred = false, archived = false } = conversation;
  const open = id === current?.id;
  return (
    <li>
      {heading !== null && <div className="jp-BestChat-optionHeading">{heading}</div>}
      <div className={`jp-BestChat-listItem ${open ? "jp-mod-active" : ""}`}>
        <button
          type="button"
          className="jp-BestChat-listButton"
          aria-current={open}
          onClick={() => {
            onOpen(id);
          }}
        >
          <span>{title === "" ? trans.__("Untitled") : title}</span>
          {label !== "" && (
            <span className="jp-BestChat-muted" title={label}>
              {shortLabel(label)}
            </span>
          )}
        </button>
        <IconButton
          icon={starred ? starredIcon : starIcon}
          label={starred ? trans.__("Take the star away") : trans.__("Star")}
          pressed={starred}
          onClick={() => void manager.star(id, !starred)}
        />
        <IconButton
          icon={archiveIcon}
          label={archived ? trans.__("Bring back") : trans.__("Archive")}
          onClick={() => void manager.archive(id, !archived)}
        />
        <IconButton
          icon={deleteIcon}
          label={trans.__("Delete")}
          onClick={() => void manager.remove(conversation)}
        />
      </div>
    </li>
  );
}
