import type { ConversationModel } from "../conversation/model.js";
import { Notice } from "./Notice.js";
import { useServices } from "./services.js";
import { usePacedView } from "./useSignal.js";

/** Says that the open conversation was deleted, in another tab or by a cell, and brings it back. */
export function DeletedNotice({ model }: { model: ConversationModel }) {
  const { manager, trans } = useServices();
  const { state } = usePacedView(model);
  if (state?.conversation.deleted_at == null) {
    return null;
  }
  return (
    <Notice
      kind="info"
      text={trans.__("This conversation was deleted.")}
      actions={[{ label: trans.__("Undo"), run: () => manager.undelete(model.id) }]}
    />
  );
}
