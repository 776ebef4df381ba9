import { useCallback, useSyncExternalStore } from "react";

import { useServices } from "./services.js";

/** What is being written in a conversation. */
export function useDraftText(conversationId: string): [string, (text: string) => void] {
  const { drafts } = useServices().manager;
  const subscribe = useCallback(
    (changed: () => void) => {
      drafts.changed.connect(changed);
      return () => {
        drafts.changed.disconnect(changed);
      };
    },
    [drafts],
  );
  const text = useSyncExternalStore(subscribe, () => drafts.get(conversationId));
  const change = useCallback(
    (changed: string) => {
      drafts.set(conversationId, changed);
    },
    [drafts, conversationId],
  );
  return [text, change];
}
