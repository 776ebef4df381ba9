import { useEffect } from "react";

import type { Schemas } from "../../api/client.js";
import { dollars, tokens } from "../../conversation/cost.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";

type Summary = Schemas["UsageSummary"];
type Spending = Schemas["Spending"];

/** Sums row by row, with a bar for each one's share of the largest. */
export function UsageTable({ summary }: { summary: Summary }) {
  const { manager, trans } = useServices();
  const { conversations } = useView(manager);
  const { by, rows, total } = summary;
  useEffect(() => {
    if (by === "conversation") {
      void manager.refresh("all");
    }
  }, [manager, by]);
  if (rows.length === 0) {
    return <p className="jp-BestChat-empty">{trans.__("Nothing was asked in this period.")}</p>;
  }
  const titles = new Map(conversations.map(({ id, title }) => [id, title]));
  const name = (key: string): string =>
    by === "conversation" ? (titles.get(key) ?? trans.__("put away or deleted")) : key;
  const most = Math.max(...rows.map(({ spending }) => weight(spending)));
  return (
    <table className="jp-BestChat-usage">
      <thead>
        <tr>
          <th scope="col">
            {{ day: trans.__("Day"), model: trans.__("Model"), conversation: trans.__("Conversation") }[by]}
          </th>
          <th scope="col">{trans.__("Requests")}</th>
          <th scope="col">{trans.__("Tokens")}</th>
          <th scope="col">{trans.__("Cost")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, spending }) => (
          <tr key={key}>
            <th scope="row" title={key}>
              <span className="jp-BestChat-usageName">{name(key)}</span>
              <span
                className="jp-BestChat-usageBar"
                style={{ width: `${String((100 * weight(spending)) / Math.max(most, 1e-9))}%` }}
              />
            </th>
            <Sums spending={spending} />
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">{trans.__("Total")}</th>
          <Sums spending={total} />
        </tr>
      </tfoot>
    </table>
  );
}

function Sums({ spending }: { spending: Spending }) {
  const { trans } = useServices();
  const { attempts, failed, usage, cost, unknown_attempts: unknown } = spending;
  const cut = failed > 0 ? trans.__("%1 of them failed", failed) : undefined;
  const known = cost === null ? "–" : dollars(Number(cost));
  return (
    <>
      <td title={cut}>{attempts}</td>
      <td title={trans.__("%1 in, %2 out", usage.input_tokens ?? 0, usage.output_tokens ?? 0)}>
        {tokens(sum(spending))}
      </td>
      <td title={unknown > 0 ? trans.__("The price of %1 requests is not known", unknown) : undefined}>
        {unknown > 0 && cost !== null ? `≥ ${known}` : known}
      </td>
    </>
  );
}

function sum({ usage }: Spending): number {
  return (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
}

/** What a bar is as long as: money where it is known, else tokens by a nominal price. */
function weight(spending: Spending): number {
  return spending.cost === null ? sum(spending) * 1e-6 : Number(spending.cost);
}
