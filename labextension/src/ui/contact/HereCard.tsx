import { useEffect, useState } from "react";

import type { Conversation } from "../../conversation/state.js";
import { useServices } from "../services.js";
import { useContextItems } from "../useContextItems.js";

/** Conversations that are looked through, the newest first. */
const MOST = 100;

/** The way to the conversation that the open notebook has had with its `%%chat` cells. */
export function HereCard({ looked }: { looked: number }) {
  const { manager, trans } = useServices();
  const { items } = useContextItems();
  const path = items.find(({ kind }) => kind === "notebook")?.name ?? "";
  const [found, setFound] = useState<Conversation | null>(null);
  useEffect(() => {
    let current = true;
    if (path === "") {
      setFound(null);
      return;
    }
    manager.client.call("conversations.list", { limit: MOST }).then(
      ({ conversations }) => {
        if (current) {
          setFound(conversations.find(({ label }) => isOf(label ?? "", path)) ?? null);
        }
      },
      () => undefined, // nobody has asked for it
    );
    return () => {
      current = false;
    };
  }, [manager, path, looked]);
  if (found === null) {
    return null;
  }
  const title = found.title === "" ? trans.__("Untitled") : found.title;
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("This notebook's conversation")}>
      <p>{trans.__("%1 has a conversation:", path.slice(path.lastIndexOf("/") + 1))}</p>
      <button
        type="button"
        className="jp-BestChat-button"
        onClick={() => {
          manager.open(found.id);
        }}
      >
        {trans.__("Continue “%1”", title)}
      </button>
    </section>
  );
}

/** A kernel knows its notebook by the whole path, JupyterLab by the path below its root. */
function isOf(label: string, path: string): boolean {
  return label === path || label.endsWith(`/${path}`);
}
