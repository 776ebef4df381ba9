import type { Message } from "../conversation/state.js";
import { IconButton } from "./IconButton.js";
import { pinIcon } from "./icons.js";
import { useServices } from "./services.js";

/** Keeps a message in every request, however long the conversation gets. */
export function PinButton({ message }: { message: Message }) {
  const { manager, trans } = useServices();
  const pinned = message.pinned === true;
  return (
    <IconButton
      icon={pinIcon}
      className={pinned ? "jp-mod-pinned" : ""}
      pressed={pinned}
      label={pinned ? trans.__("Unpin") : trans.__("Pin: keep it in every request")}
      onClick={() => void manager.pin(message.id, !pinned)}
    />
  );
}
