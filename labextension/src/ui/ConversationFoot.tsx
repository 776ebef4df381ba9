import type { ConversationModel } from "../conversation/model.js";
import { Composer, type Inbox } from "./Composer.js";
import { ConversationFacts } from "./ConversationFacts.js";
import { Notice } from "./Notice.js";
import { Queue } from "./Queue.js";
import { useServices } from "./services.js";
import { useConversation } from "./useSignal.js";

interface Props {
  model: ConversationModel | null;
  inbox: Inbox;
}

/** What stands below the open conversation: what is the matter with it, what waits, the composer. */
export function ConversationFoot({ model, inbox }: Props) {
  const { manager, trans } = useServices();
  const deleted = useConversation(model, ({ state }) => state?.conversation.deleted_at != null, false);
  const error = useConversation(model, (view) => view.error, null);
  if (model !== null && deleted) {
    return (
      <Notice
        kind="info"
        text={trans.__("This conversation was deleted.")}
        hint={trans.__("Nothing can be said in it, unless it is brought back.")}
        actions={[
          { label: trans.__("Undo"), run: () => manager.undelete(model.id) },
          {
            label: trans.__("New conversation"),
            run: () => {
              manager.close();
            },
          },
        ]}
      />
    );
  }
  return (
    <>
      {error !== null && <Notice kind="warning" text={error.message} hint={error.hint} />}
      {model !== null && <Queue model={model} />}
      {model !== null && <ConversationFacts model={model} />}
      <Composer model={model} inbox={inbox} />
    </>
  );
}
