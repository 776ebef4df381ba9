import { useEffect, useState } from "react";

import type { Hit, Narrowing } from "../conversation/manager.js";
import { ConversationItem } from "./ConversationItem.js";
import { dayOf } from "./days.js";
import { FoundItem } from "./FoundItem.js";
import { Notice } from "./Notice.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

/** Milliseconds without another key after which is searched. */
const PATIENCE = 150;

/** One's conversations, the last changed first; or those in which something was found. */
export function History({ onOpen }: { onOpen: () => void }) {
  const { manager, trans } = useServices();
  const { conversations, removed } = useView(manager);
  const [query, setQuery] = useState("");
  const [narrowing, setNarrowing] = useState<Narrowing>("all");
  const hits = useHits(query.trim());
  useEffect(() => {
    void manager.refresh(narrowing);
  }, [manager, narrowing]);

  const open = (id: string, messageId: string | null = null): void => {
    const model = manager.open(id);
    if (messageId !== null) {
      model.choose(messageId);
    }
    onOpen();
  };
  const names = {
    all: trans.__("All"),
    starred: trans.__("Starred"),
    archived: trans.__("Archived"),
  };
  const empty = hits === null ? conversations.length === 0 : hits.length === 0;
  return (
    <div className="jp-BestChat-history">
      <input
        type="search"
        className="jp-BestChat-input"
        aria-label={trans.__("Search conversations")}
        placeholder={trans.__("Search in everything that was said")}
        autoFocus
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
        }}
      />
      {hits === null && (
        <div className="jp-BestChat-row" role="group" aria-label={trans.__("Show")}>
          {(["all", "starred", "archived"] as const).map((one) => (
            <button
              key={one}
              type="button"
              className="jp-BestChat-pill"
              aria-pressed={one === narrowing}
              onClick={() => {
                setNarrowing(one);
              }}
            >
              {names[one]}
            </button>
          ))}
        </div>
      )}
      {removed !== null && (
        <Notice
          kind="info"
          text={trans.__("“%1” was deleted.", removed.title ?? "")}
          actions={[{ label: trans.__("Undo"), run: () => manager.undelete(removed.id) }]}
        />
      )}
      <ul className="jp-BestChat-list">
        {hits?.map((hit) => <FoundItem key={hit.conversation_id} hit={hit} onOpen={open} />) ??
          conversations.map((conversation, index) => {
            const day = dayOf(conversation.updated_at, trans);
            const before = conversations[index - 1];
            const begins = before === undefined || dayOf(before.updated_at, trans) !== day;
            return (
              <ConversationItem
                key={conversation.id}
                conversation={conversation}
                heading={begins ? day : null}
                onOpen={open}
              />
            );
          })}
      </ul>
      {empty && (
        <p className="jp-BestChat-empty">
          {hits === null && narrowing === "all"
            ? trans.__(
                "There is no conversation yet. What you ask here, in a %1 cell or from a script appears in this list.",
                "%%chat",
              )
            : trans.__("Nothing was found.")}
        </p>
      )}
    </div>
  );
}

/** Where a text was found; none while nothing is looked for. */
function useHits(query: string): readonly Hit[] | null {
  const { manager } = useServices();
  const [hits, setHits] = useState<readonly Hit[] | null>(null);
  useEffect(() => {
    if (query === "") {
      setHits(null);
      return;
    }
    let current = true;
    const timer = setTimeout(() => {
      void manager.search(query).then((found) => {
        if (current) {
          setHits(found);
        }
      });
    }, PATIENCE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [manager, query]);
  return hits;
}
