/** What is known of a provider's readiness: not more than somebody has found out. */

import type { ModelFacts, ProviderInfo } from "../../conversation/catalog.js";

/** `unasked`: nothing is missing, and nobody has looked whether anything is there. */
export type Standing = "ready" | "unasked" | "failed" | "missing";

/** How a provider stands; `works` is what a test has said since the page is open, none if nothing. */
export function standingOf(
  provider: ProviderInfo,
  models: readonly ModelFacts[],
  works: boolean | null,
): Standing {
  if (!provider.configured || !provider.permitted) {
    return "missing";
  }
  if (works !== null) {
    return works ? "ready" : "failed";
  }
  // A key or an address is somebody's word for it. A server that needs neither may not even run.
  const given = provider.source !== "";
  const told = models.some(({ ref, ready }) => ref.startsWith(`${provider.name}/`) && ready !== false);
  return given || told ? "ready" : "unasked";
}
