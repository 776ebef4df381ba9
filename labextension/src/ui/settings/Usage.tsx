import { useEffect, useState } from "react";

import type { Schemas } from "../../api/client.js";
import { asApiError, type ApiError } from "../../api/errors.js";
import { Notice } from "../Notice.js";
import { useServices } from "../services.js";
import { UsageTable } from "./UsageTable.js";

type Summary = Schemas["UsageSummary"];
type Grouping = Summary["by"];

const GROUPINGS = ["day", "model", "conversation"] as const satisfies readonly Grouping[];
const PERIODS = [7, 30, 365] as const;
const DAY = 24 * 3600 * 1000;

/** What was spent, by day, model or conversation. */
export function Usage() {
  const { manager, trans } = useServices();
  const [by, setBy] = useState<Grouping>("day");
  const [days, setDays] = useState<number>(30);
  const [summary, setSummary] = useState<Summary | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let current = true;
    const since = new Date(Date.now() - (days - 1) * DAY).toISOString().slice(0, 10);
    manager.client.call("usage.summary", { by, since, limit: 200 }).then(
      (found) => {
        if (current) {
          setSummary(found);
          setError(null);
        }
      },
      (reason: unknown) => {
        setError(asApiError(reason));
      },
    );
    return () => {
      current = false;
    };
  }, [manager, by, days]);
  const names = {
    day: trans.__("By day"),
    model: trans.__("By model"),
    conversation: trans.__("By conversation"),
  };
  return (
    <>
      <div className="jp-BestChat-row">
        <div className="jp-BestChat-row" role="group" aria-label={trans.__("Add up")}>
          {GROUPINGS.map((one) => (
            <button
              key={one}
              type="button"
              className="jp-BestChat-pill"
              aria-pressed={one === by}
              onClick={() => {
                setBy(one);
              }}
            >
              {names[one]}
            </button>
          ))}
        </div>
        <select
          className="jp-BestChat-input jp-BestChat-period"
          aria-label={trans.__("Period")}
          value={days}
          onChange={(event) => {
            setDays(Number(event.target.value));
          }}
        >
          {PERIODS.map((period) => (
            <option key={period} value={period}>
              {trans.__("last %1 days", period)}
            </option>
          ))}
        </select>
      </div>
      {error !== null && <Notice kind="error" text={error.message} hint={error.hint} />}
      {summary !== null && <UsageTable summary={summary} />}
      <p className="jp-BestChat-muted">
        {trans.__("Days are those of UTC. Costs are counted at list prices, failed requests included.")}
      </p>
    </>
  );
}
