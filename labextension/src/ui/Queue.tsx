import { closeIcon } from "@jupyterlab/ui-components";

import type { ConversationModel } from "../conversation/model.js";
import { activeTurn } from "../conversation/state.js";
import { IconButton } from "./IconButton.js";
import { useServices } from "./services.js";
import { usePacedView } from "./useSignal.js";

/** Messages that wait for the turn that is running. */
export function Queue({ model }: { model: ConversationModel }) {
  const { manager, trans } = useServices();
  const { state } = usePacedView(model);
  const queue = state?.conversation.queue ?? [];
  if (state === null || queue.length === 0) {
    return null;
  }
  const heldUp = activeTurn(state) === null;
  return (
    <ul className="jp-BestChat-queue" aria-label={trans.__("Waiting messages")}>
      {queue.map((message) => (
        <li key={message.turn_id}>
          <span className="jp-BestChat-chipKind">{trans.__("next")}</span>
          <span className="jp-BestChat-queueText">{message.text}</span>
          {message.files !== undefined && message.files.length > 0 && (
            <span className="jp-BestChat-muted">
              {trans.__("%1 attached", message.files.length)}
            </span>
          )}
          <IconButton
            icon={closeIcon}
            label={trans.__("Take back")}
            onClick={() => void manager.unqueue(message.turn_id)}
          />
        </li>
      ))}
      {heldUp && (
        <li>
          <button
            type="button"
            className="jp-BestChat-button"
            onClick={() => void manager.sendQueued()}
          >
            {trans.__("Send the next one")}
          </button>
        </li>
      )}
    </ul>
  );
}
