import { useCallback, useEffect, useState } from "react";

import { draftName } from "../conversation/memory.js";
import { useServices } from "./services.js";

/** What is being written in a conversation; kept when the page is loaded again. */
export function useDraftText(conversationId: string): [string, (text: string) => void] {
  const { memory } = useServices();
  const name = draftName(conversationId);
  const [text, setText] = useState(() => memory.get(name));
  useEffect(() => {
    setText(memory.get(name));
  }, [memory, name]);
  const change = useCallback(
    (changed: string) => {
      memory.set(name, changed);
      setText(changed);
    },
    [memory, name],
  );
  return [text, change];
}
