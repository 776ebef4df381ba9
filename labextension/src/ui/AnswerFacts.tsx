import { costOf, dollars, tokens } from "../conversation/cost.js";
import type { Message, Turn } from "../conversation/state.js";
import { shortName } from "./modelNames.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

interface Props {
  turn: Turn | null;
  messages: readonly Message[];
}

/** Who answered, how much it took and what it cost. */
export function AnswerFacts({ turn, messages }: Props) {
  const { catalog, trans } = useServices();
  useView(catalog);
  const ref = messages.at(-1)?.model ?? turn?.fallback ?? turn?.model ?? "";
  const facts = catalog.facts(ref);
  const usage = turn?.usage;
  const input = usage?.input_tokens ?? 0;
  const output = usage?.output_tokens ?? 0;
  const cost = costOf(usage, catalog.prices(ref));
  return (
    <span className="jp-BestChat-facts">
      <span className="jp-BestChat-model" title={ref}>
        {shortName(ref)}
        {facts?.label != null && facts.label !== "" && ` · ${facts.label}`}
      </span>
      {turn?.fallback != null && (
        <span title={trans.__("%1 did not answer.", turn.model)}>{trans.__("stood in")}</span>
      )}
      {input + output > 0 && (
        <span title={trans.__("%1 tokens in, %2 out", input, output)}>
          {trans.__("%1 tokens", tokens(input + output))}
        </span>
      )}
      {cost !== null && (
        <span title={trans.__("At the list prices of %1", facts?.prices?.as_of ?? "")}>
          {dollars(cost)}
        </span>
      )}
    </span>
  );
}
