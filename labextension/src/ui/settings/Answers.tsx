import { useServices } from "../services.js";
import { useConversation, useView } from "../useSignal.js";
import { AnswerForm } from "./AnswerForm.js";
import { SiteRules } from "./SiteRules.js";

/** Who answers and how: in the open conversation, and in new ones; and what the site has decided. */
export function Answers() {
  const { manager, trans } = useServices();
  const { current } = useView(manager);
  const conversation = useConversation(current, ({ state }) => state?.conversation ?? null, null);
  const title = conversation?.title ?? "";
  return (
    <>
      <SiteRules />
      {conversation !== null && (
        <AnswerForm
          key={`${conversation.id}-${String(conversation.version ?? 1)}`}
          title={trans.__("“%1”", title === "" ? trans.__("Untitled") : title)}
          settings={conversation.settings ?? {}}
          onSave={(settings) => manager.configure(settings)}
        />
      )}
      <AnswerForm
        title={trans.__("New conversations")}
        settings={manager.preferences.settings}
        onSave={(settings) => manager.attempt(() => manager.preferences.save(settings))}
      />
    </>
  );
}
