import type { Attachment } from "../conversation/attachments.js";
import { REDACTED } from "../conversation/redaction.js";
import { useTrans } from "./services.js";

/** Something that went along with a message, folded. */
export function AttachmentFold({ attachment }: { attachment: Attachment }) {
  const trans = useTrans();
  return (
    <details className="jp-BestChat-fold jp-BestChat-attachment">
      <summary>
        <span className="jp-BestChat-chipKind">{attachment.kind}</span> {attachment.name}
        {attachment.content.includes(REDACTED) && ` – ${trans.__("what looks like a secret was left out")}`}
      </summary>
      <pre tabIndex={0}>{attachment.content}</pre>
    </details>
  );
}
