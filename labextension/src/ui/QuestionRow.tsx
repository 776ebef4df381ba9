import { copyIcon, editIcon } from "@jupyterlab/ui-components";
import { memo, useMemo, useState } from "react";

import { compose, takeApart } from "../conversation/attachments.js";
import type { ConversationModel } from "../conversation/model.js";
import type { Question } from "../conversation/rows.js";
import { textOf } from "../conversation/state.js";
import { AttachmentFold } from "./AttachmentFold.js";
import { Branches } from "./Branches.js";
import { CopyButton } from "./CopyButton.js";
import { IconButton } from "./IconButton.js";
import { PartFile } from "./PartFile.js";
import { PartImage } from "./PartImage.js";
import { PinButton } from "./PinButton.js";
import { QuestionEditor } from "./QuestionEditor.js";
import { useServices } from "./services.js";

interface Props {
  row: Question;
  model: ConversationModel;
}

/** What a person said. */
export const QuestionRow = memo(function QuestionRow({ row, model }: Props) {
  const { manager, trans } = useServices();
  const [editing, setEditing] = useState(false);
  const { text, attachments } = useMemo(() => takeApart(textOf(row.message)), [row.message]);

  if (editing) {
    return (
      <QuestionEditor
        text={text}
        onCancel={() => {
          setEditing(false);
        }}
        onSend={async (changed) => {
          if (await manager.edit(row.message.id, compose(changed, attachments))) {
            setEditing(false);
          }
        }}
      />
    );
  }
  return (
    <article className="jp-BestChat-question" aria-label={trans.__("You")}>
      <div className="jp-BestChat-bubble">
        <div className="jp-BestChat-questionText">{text}</div>
        {row.message.parts.map((part, index) =>
          part.type === "image" ? (
            <PartImage key={index} part={part} />
          ) : part.type === "file" ? (
            <PartFile key={index} part={part} />
          ) : null,
        )}
        {attachments.map((attachment, index) => (
          <AttachmentFold key={index} attachment={attachment} />
        ))}
      </div>
      <div className="jp-BestChat-actions" role="toolbar" aria-label={trans.__("Your message")}>
        <Branches model={model} id={row.message.id} siblings={row.siblings} />
        <IconButton
          icon={editIcon}
          label={trans.__("Edit: ask this differently")}
          onClick={() => {
            setEditing(true);
          }}
        />
        <PinButton message={row.message} />
        <CopyButton text={text} icon={copyIcon} label={trans.__("Copy message")} />
      </div>
    </article>
  );
});
