import { useState } from "react";

import type { Attachment } from "../conversation/attachments.js";
import { redacted } from "../conversation/redaction.js";
import { AttachmentFold } from "./AttachmentFold.js";
import { useTrans } from "./services.js";

/** What goes along, to be read before it is sent: word for word what the model will get to see. */
export function WillBeSent({ read }: { read: () => readonly Attachment[] }) {
  const trans = useTrans();
  const [open, setOpen] = useState(false);
  // Notebooks are long: they are read when somebody wants to see them.
  const along = open ? read() : [];
  return (
    <details
      className="jp-BestChat-fold jp-BestChat-willBeSent"
      onToggle={(event) => {
        if (event.target === event.currentTarget) {
          setOpen(event.currentTarget.open);
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
    </details>
  );
}
