import { useServices } from "./services.js";
import { useConversation, useView } from "./useSignal.js";

/** Model reference of who answers next: chosen, set for the conversation, for new ones, or usual. */
export function useChosenModel(): string | null {
  const { manager, catalog } = useServices();
  const { model, current } = useView(manager);
  const { models } = useView(catalog);
  const set = useConversation(current, ({ state }) => state?.conversation.settings?.model, null);
  const wanted = current === null ? manager.preferences.settings.model : set;
  return model ?? wanted ?? models?.default ?? null;
}
