import { RULES } from "../../conversation/site.js";
import { HelpLink } from "../HelpLink.js";
import { lockIcon } from "../icons.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";

/** What the site has decided: it is shown, and cannot be changed here. */
export function SiteRules() {
  const { catalog, trans } = useServices();
  const { site } = useView(catalog);
  const names = {
    default_model: trans.__("Answers where nobody is named"),
    fallback_models: trans.__("Stand in"),
    allowed_models: trans.__("Models that may be used"),
    allowed_base_urls: trans.__("Addresses that may be called"),
    max_cost: trans.__("Most that a conversation may cost, US dollars"),
  };
  const decided = RULES.filter((rule) => site.rules[rule] !== undefined);
  if (decided.length === 0) {
    return null;
  }
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("Set by the site")}>
      <h4>{trans.__("Set by the site")}</h4>
      <dl className="jp-BestChat-rules">
        {decided.map((rule) => (
          <div key={rule}>
            <dt>
              <lockIcon.react tag="span" width="12px" height="12px" title={trans.__("Locked")} />
              {names[rule]}
            </dt>
            <dd>{site.rules[rule]}</dd>
          </div>
        ))}
      </dl>
      <HelpLink />
    </section>
  );
}
