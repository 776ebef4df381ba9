import type { Attachment } from "../conversation/attachments.js";

/** Something that went along with a message, folded. */
export function AttachmentFold({ attachment }: { attachment: Attachment }) {
  return (
    <details className="jp-BestChat-fold jp-BestChat-attachment">
      <summary>
        <span className="jp-BestChat-chipKind">{attachment.kind}</span> {attachment.name}
      </summary>
      <pre tabIndex={0}>{attachment.content}</pre>
    </details>
  );
}
