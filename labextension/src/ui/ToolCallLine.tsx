import type { Schemas } from "../api/client.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

/** A tool that the model asked for, and how far that has come. */
export function ToolCallLine({ part }: { part: Schemas["ToolCallPart"] }) {
  const { manager, trans } = useServices();
  const { current } = useView(manager);
  const execution = current?.view.state?.executions[part.execution_id];
  return (
    <details className="jp-BestChat-fold jp-BestChat-tool">
      <summary>
        {trans.__("Tool")} <code>{part.call.name}</code>{" "}
        <span className="jp-BestChat-muted">{execution?.state ?? "proposed"}</span>
      </summary>
      <pre tabIndex={0}>{part.call.arguments}</pre>
      {execution?.result != null && <pre tabIndex={0}>{execution.result.content}</pre>}
    </details>
  );
}
