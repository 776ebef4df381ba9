import { useCallback, useEffect, useState } from "react";

import { undoIcon } from "@jupyterlab/ui-components";

import type { Conversation } from "../../conversation/state.js";
import { IconButton } from "../IconButton.js";
import { useServices } from "../services.js";

/** Deleted conversations that can still be brought back. */
export function Trash() {
  const { manager, trans } = useServices();
  const [found, setFound] = useState<readonly Conversation[]>([]);
  const look = useCallback(async () => {
    await manager.attempt(async () => {
      const request = { deleted: true, archived: null, limit: 200 };
      setFound((await manager.client.call("conversations.list", request)).conversations);
    });
  }, [manager]);
  useEffect(() => {
    void look();
  }, [look]);
  if (found.length === 0) {
    return null;
  }
  const forGood = async (conversations: readonly Conversation[]): Promise<void> => {
    await manager.attempt(async () => {
      for (const { id } of conversations) {
        await manager.client.call("conversations.delete", { conversation_id: id, forever: true });
      }
    });
    await look();
  };
  return (
    <details className="jp-BestChat-fold">
      <summary>{trans._n("%1 deleted conversation", "%1 deleted conversations", found.length)}</summary>
      <ul className="jp-BestChat-list" aria-label={trans.__("Deleted conversations")}>
        {found.map((conversation) => (
          <li key={conversation.id} className="jp-BestChat-listItem">
            <span className="jp-BestChat-queueText">
              {conversation.title === "" ? trans.__("Untitled") : conversation.title}
            </span>
            <IconButton
              icon={undoIcon}
              label={trans.__("Bring back")}
              onClick={() => void manager.undelete(conversation.id).then(look)}
            />
          </li>
        ))}
      </ul>
      <button type="button" className="jp-BestChat-button jp-mod-warn" onClick={() => void forGood(found)}>
        {trans.__("Delete these for good")}
      </button>
    </details>
  );
}
