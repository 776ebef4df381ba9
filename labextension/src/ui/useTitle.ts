import type { ConversationModel } from "../conversation/model.js";
import { useConversation } from "./useSignal.js";

/** What a conversation is called; none as long as nothing is known of it. */
export function useTitle(model: ConversationModel | null): string | null {
  return useConversation(
    model,
    ({ state }) => (state === null ? null : (state.conversation.title ?? "")),
    null,
  );
}
