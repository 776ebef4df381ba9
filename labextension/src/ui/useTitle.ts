import { useEffect, useState } from "react";

import type { ConversationModel } from "../conversation/model.js";

/** What a conversation is called; none as long as nothing is known of it. */
export function useTitle(model: ConversationModel | null): string | null {
  const [title, setTitle] = useState<string | null>(null);
  useEffect(() => {
    const look = (): void => {
      const conversation = model?.view.state?.conversation;
      setTitle(conversation === undefined ? null : (conversation.title ?? ""));
    };
    look();
    model?.changed.connect(look);
    return () => {
      model?.changed.disconnect(look);
    };
  }, [model]);
  return title;
}
