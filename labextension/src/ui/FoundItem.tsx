import type { Hit } from "../conversation/manager.js";
import { useTrans } from "./services.js";

interface Props {
  hit: Hit;
  onOpen: (id: string, messageId: string | null) => void;
}

/** A conversation in which something was found, and the words around it. */
export function FoundItem({ hit, onOpen }: Props) {
  const trans = useTrans();
  return (
    <li className="jp-BestChat-listItem">
      <button
        type="button"
        className="jp-BestChat-listButton"
        onClick={() => {
          onOpen(hit.conversation_id, hit.message_id ?? null);
        }}
      >
        <span>{hit.title === "" ? trans.__("Untitled") : hit.title}</span>
        <span className="jp-BestChat-muted">
          {hit.snippet.map((part, index) =>
            part.match === true ? <mark key={index}>{part.text}</mark> : part.text,
          )}
        </span>
      </button>
    </li>
  );
}
