import { memo } from "react";

import type { Draft } from "../conversation/draft.js";
import type { ConversationModel } from "../conversation/model.js";
import type { Row } from "../conversation/rows.js";
import { AnswerRow } from "./AnswerRow.js";
import { Boundary } from "./Boundary.js";
import { Near } from "./Near.js";
import { QuestionRow } from "./QuestionRow.js";

interface Props {
  row: Row;
  model: ConversationModel;
  /** What grows in this row, if something does. */
  draft: Draft | null;
  /** Whether it is filled wherever it is. */
  always: boolean;
}

/** One row of a conversation. With each piece of an answer only the row that grows is made anew. */
export const ListRow = memo(function ListRow({ row, model, draft, always }: Props) {
  return (
    <Near always={always}>
      <Boundary>
        {row.kind === "question" ? (
          <QuestionRow row={row} model={model} />
        ) : (
          <AnswerRow row={row} model={model} draft={draft} />
        )}
      </Boundary>
    </Near>
  );
});
