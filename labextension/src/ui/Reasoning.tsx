import { useTrans } from "./services.js";

/** What a model thought before it spoke, folded. */
export function Reasoning({ text, growing }: { text: string; growing: boolean }) {
  const trans = useTrans();
  return (
    <details className="jp-BestChat-fold jp-BestChat-reasoning">
      <summary>{growing ? trans.__("Thinking…") : trans.__("Thoughts")}</summary>
      <div className="jp-BestChat-reasoningText">{text}</div>
    </details>
  );
}
