import type { TranslationBundle } from "@jupyterlab/translation";

const DAY = 86_400_000;

/** The part of a list that a time belongs to: today, yesterday, a week, a month. */
export function dayOf(time: string, trans: TranslationBundle, now = new Date()): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const at = new Date(time);
  const days = Math.ceil((midnight - at.getTime()) / DAY);
  if (days <= 0) {
    return trans.__("Today");
  }
  if (days === 1) {
    return trans.__("Yesterday");
  }
  if (days <= 7) {
    return trans.__("Last seven days");
  }
  return at.toLocaleDateString(undefined, { year: "numeric", month: "long" });
}
