/** What the site has decided, as its options say. Pure. */

import type { Schemas } from "../api/client.js";

type Option = Schemas["Option"];

export interface Site {
  /** Whether users may bring keys of their own. */
  readonly userKeys: boolean;
  /** Whether pages are fetched that users mention. */
  readonly pages: boolean;
  /** Where its users find help; empty if nowhere. */
  readonly helpUrl: string;
  /** Days for which what was deleted can be brought back. */
  readonly keepDeletedDays: number;
  /** What it has decided about models and costs, by the option's name; only what is set. */
  readonly rules: Readonly<Partial<Record<Rule, string>>>;
}

/** The options that decide for everybody, in the order in which they are shown. */
export const RULES = [
  "default_model",
  "fallback_models",
  "allowed_models",
  "allowed_base_urls",
  "max_cost",
] as const;

export type Rule = (typeof RULES)[number];

export const NO_SITE: Site = { userKeys: true, pages: true, helpUrl: "", keepDeletedDays: 7, rules: {} };

export function siteOf(options: readonly Option[]): Site {
  const values = new Map(options.map(({ name, value }) => [name, value]));
  return {
    userKeys: values.get("allow_user_keys") !== "false",
    pages: values.get("allow_pages") !== "false",
    helpUrl: values.get("help_url") ?? "",
    keepDeletedDays: Number(values.get("keep_deleted_days") ?? NO_SITE.keepDeletedDays),
    rules: Object.fromEntries(
      RULES.map((rule) => [rule, values.get(rule) ?? ""] as const).filter(([, value]) => value !== ""),
    ),
  };
}
