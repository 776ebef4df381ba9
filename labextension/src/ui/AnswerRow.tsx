import { copyIcon, refreshIcon } from "@jupyterlab/ui-components";
import { memo } from "react";

import type { Draft } from "../conversation/draft.js";
import type { ConversationModel } from "../conversation/model.js";
import type { Answer } from "../conversation/rows.js";
import { textOf } from "../conversation/state.js";
import { AnswerEnding } from "./AnswerEnding.js";
import { AnswerFacts } from "./AnswerFacts.js";
import { AnswerParts, type AnswerPartsProps } from "./AnswerParts.js";
import { Branches } from "./Branches.js";
import { CopyButton } from "./CopyButton.js";
import { IconButton } from "./IconButton.js";
import { PinButton } from "./PinButton.js";
import { useServices } from "./services.js";

interface Props {
  row: Answer;
  model: ConversationModel;
  draft: Draft | null;
}

interface Said {
  id: string;
  parts: AnswerPartsProps["parts"];
  growing: boolean;
}

/** What one turn brought, and is still bringing. */
export const AnswerRow = memo(function AnswerRow({ row, model, draft }: Props) {
  const { manager, trans } = useServices();
  const { turn, messages, questionId } = row;
  const running = turn !== null && ["running", "waiting"].includes(turn.state);
  const assistants = messages.filter(({ role }) => role === "assistant");
  const last = assistants.at(-1);
  const text = assistants.map(textOf).join("\n\n");
  // What grows has the id under which it is stored in the end: so it stays as it stands on the page,
  // and a long answer is not rendered all anew when it is complete.
  const said: Said[] = assistants.map(({ id, parts }) => ({ id, parts, growing: false }));
  if (running) {
    said.push({ id: draft?.messageId ?? "", parts: draft?.parts ?? [], growing: true });
  }
  return (
    <article
      className="jp-BestChat-answer"
      aria-label={trans.__("Answer")}
      aria-busy={running}
      data-turn-state={turn === null ? undefined : turn.state}
    >
      {said.map(({ id, parts, growing }) => (
        <AnswerParts key={id} parts={parts} growing={growing} />
      ))}
      {turn !== null && (
        <AnswerEnding turn={turn} questionId={questionId} begun={assistants.length > 0} />
      )}
      <footer className="jp-BestChat-answerFooter">
        <AnswerFacts turn={turn} messages={assistants} />
        {!running && (
          <div className="jp-BestChat-actions" role="toolbar" aria-label={trans.__("Answer")}>
            <Branches model={model} id={messages[0]?.id ?? ""} siblings={row.siblings} />
            {questionId !== null && (
              <IconButton
                icon={refreshIcon}
                label={trans.__("Answer again, as a new branch")}
                onClick={() => {
                  void manager.regenerate(questionId);
                }}
              />
            )}
            {last !== undefined && <PinButton message={last} />}
            {text !== "" && (
              <CopyButton text={text} icon={copyIcon} label={trans.__("Copy answer")} />
            )}
          </div>
        )}
      </footer>
    </article>
  );
});
