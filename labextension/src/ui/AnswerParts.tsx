import { memo } from "react";

import type { Schemas } from "../api/client.js";
import type { DraftPart } from "../conversation/draft.js";
import { Markdown } from "./markdown/Markdown.js";
import { PartImage } from "./PartImage.js";
import { Reasoning } from "./Reasoning.js";
import { ToolCallLine } from "./ToolCallLine.js";
import { useTrans } from "./services.js";

type Part = Schemas["Part"];

export interface AnswerPartsProps {
  /** Of a stored message, or of one that grows. */
  parts: readonly (Part | DraftPart)[];
  growing: boolean;
}

/** The parts of one answer of a model. */
export const AnswerParts = memo(function AnswerParts({ parts, growing }: AnswerPartsProps) {
  const trans = useTrans();
  if (growing && parts.length === 0) {
    return (
      <div className="jp-BestChat-pending" role="status">
        {trans.__("Waiting for the model…")}
      </div>
    );
  }
  return (
    <>
      {parts.map((part, index) => (
        <PartView key={index} part={part} growing={growing && index === parts.length - 1} />
      ))}
    </>
  );
});

function PartView({ part, growing }: { part: Part | DraftPart; growing: boolean }) {
  if ("kind" in part) {
    return part.kind === "text" ? (
      <Markdown source={part.text} growing={growing} />
    ) : (
      <Reasoning text={part.text} growing={growing} />
    );
  }
  switch (part.type) {
    case "text":
      return <Markdown source={part.text} />;
    case "reasoning":
      return part.redacted === true || part.text === "" ? null : (
        <Reasoning text={part.text} growing={false} />
      );
    case "image":
      return <PartImage part={part} />;
    case "file":
      return null; // models attach none
    case "tool_call":
      return <ToolCallLine part={part} />;
    case "tool_result":
      return null; // shown with the call
  }
}
