import { useMemo } from "react";

import { dollars, spentIn, tokens, windowUse } from "../conversation/cost.js";
import type { ConversationModel } from "../conversation/model.js";
import { branch } from "../conversation/tree.js";
import { useServices } from "./services.js";
import { useChosenModel } from "./useChosenModel.js";
import { useConversation, useView } from "./useSignal.js";

/** Share of a window from which on one should know that it fills. */
const NEARLY_FULL = 0.8;

/** How full the model's window is, and what the whole conversation took. */
export function ConversationFacts({ model }: { model: ConversationModel }) {
  const { catalog, trans } = useServices();
  const { models, providers } = useView(catalog);
  const state = useConversation(model, (view) => view.state, null);
  const choices = useConversation(model, (view) => view.choices, null);
  const messages = state?.messages;
  const window = catalog.facts(useChosenModel() ?? "")?.window ?? null;
  const spent = useMemo(
    () => spentIn(messages ?? {}, (ref) => catalog.prices(ref)),
    [messages, catalog, models, providers],
  );
  const used = useMemo(
    () => (state === null ? 0 : windowUse(branch(state, choices ?? {}).map(({ message }) => message))),
    [messages, choices],
  );
  if (spent.tokens === 0) {
    return null;
  }
  const share = window === null ? null : used / window;
  const cost = `${spent.more ? "≥ " : ""}${dollars(spent.dollars)}`;
  return (
    <div className="jp-BestChat-conversationFacts" role="group" aria-label={trans.__("Conversation")}>
      {share !== null && (
        <span
          className={share >= NEARLY_FULL ? "jp-mod-warning" : undefined}
          title={trans.__("%1 of the %2 tokens that the model can take", used, window)}
        >
          <meter min={0} max={1} value={share} aria-label={trans.__("Share of the model's window")} />{" "}
          {trans.__("%1 of %2", percent(share), tokens(window ?? 0))}
        </span>
      )}
      <span title={trans.__("Tokens of the whole conversation, all branches")}>
        {trans.__("%1 tokens", tokens(spent.tokens))}
      </span>
      {spent.dollars > 0 && (
        <span
          title={
            spent.more
              ? trans.__("Of the whole conversation at list prices; some answers have no known price")
              : trans.__("Of the whole conversation, at list prices")
          }
        >
          {cost}
        </span>
      )}
    </div>
  );
}

function percent(share: number): string {
  return share > 0 && share < 0.01 ? "< 1%" : `${String(Math.round(share * 100))}%`;
}
