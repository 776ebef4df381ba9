import { useCallback } from "react";

import { useServices } from "./services.js";
import { useValue } from "./useSignal.js";

/** What is being written in a conversation. */
export function useDraftText(conversationId: string): [string, (text: string) => void] {
  const { drafts } = useServices().manager;
  const text = useValue(drafts.changed, () => drafts.get(conversationId));
  const change = useCallback(
    (changed: string) => {
      drafts.set(conversationId, changed);
    },
    [drafts, conversationId],
  );
  return [text, change];
}
