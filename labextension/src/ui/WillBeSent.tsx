import type { Attachment } from "../conversation/attachments.js";
import { redacted } from "../conversation/redaction.js";
import { AttachmentFold } from "./AttachmentFold.js";
import { useTrans } from "./services.js";

interface Props {
  /** What goes along; notebooks are long, and are read when somebody wants to see them. */
  read: () => readonly Attachment[];
  /** Names of what is looked up when it is sent. */
  unknown: readonly string[];
  open: boolean;
  onOpen: (open: boolean) => void;
}

/** What goes along, to be read before it is sent: word for word what the model will get to see. */
export function WillBeSent({ read, unknown, open, onOpen }: Props) {
  const trans = useTrans();
  const along = open ? read() : [];
  return (
    <details
      className="jp-BestChat-fold jp-BestChat-willBeSent"
      open={open}
      onToggle={(event) => {
        if (event.target === event.currentTarget) {
          onOpen(event.currentTarget.open);
        }
      }}
    >
      <summary>{trans.__("What will be sent")}</summary>
      {along.map((attachment) => (
        <AttachmentFold
          key={`${attachment.kind} ${attachment.name}`}
          attachment={{ ...attachment, content: redacted(attachment.content) }}
        />
      ))}
      {unknown.map((name) => (
        <div key={name} className="jp-BestChat-muted">
          {trans.__("@%1 is looked up when it is sent.", name)}
        </div>
      ))}
    </details>
  );
}
