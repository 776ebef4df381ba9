/** What tokens cost, and how full a model's window is. Pure. */

import type { Schemas } from "../api/client.js";
import type { ConversationState, Message, Usage } from "./state.js";

type Prices = Schemas["Prices"];

const MILLION = 1_000_000;

/** US dollars at a model's list prices; null where these are not known. */
export function costOf(usage: Usage | undefined, prices: Prices | null | undefined): number | null {
  if (usage === undefined || prices?.input == null || prices.output == null) {
    return null;
  }
  const cached = usage.cached_tokens ?? 0;
  const written = usage.cache_write_tokens ?? 0;
  const fresh = (usage.input_tokens ?? 0) - cached - written;
  const input = Number(prices.input);
  const dollars =
    fresh * input +
    cached * Number(prices.cache_read ?? input) +
    written * Number(prices.cache_write ?? input) +
    (usage.output_tokens ?? 0) * Number(prices.output);
  return dollars / MILLION;
}

/** What a whole conversation took, all its branches: a branch that is not shown was paid for too. */
export interface Spent {
  readonly tokens: number;
  readonly dollars: number;
  /** Whether there are answers whose price is not known: then it was more. */
  readonly more: boolean;
}

export function spentIn(
  messages: ConversationState["messages"],
  pricesOf: (model: string) => Prices | null,
): Spent {
  let [count, dollars, more] = [0, 0, false];
  for (const { usage, model } of Object.values(messages)) {
    if (usage == null) {
      continue;
    }
    const cost = costOf(usage, pricesOf(model ?? ""));
    count += tokensOf(usage);
    dollars += cost ?? 0;
    more ||= cost === null;
  }
  return { tokens: count, dollars, more };
}

/** Tokens that the next request begins with: what went in last, and what came out. */
export function windowUse(branch: readonly Message[]): number {
  return tokensOf(branch.findLast(({ usage }) => tokensOf(usage) > 0)?.usage);
}

function tokensOf(usage: Usage | null | undefined): number {
  return (usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0);
}

/** Dollars as people read them: `$0.0012`, `$1.25`; small sums keep two digits that say something. */
export function dollars(amount: number): string {
  if (amount === 0) {
    return "$0";
  }
  const digits = Math.max(2, 1 - Math.floor(Math.log10(amount)));
  return `$${amount.toFixed(Math.min(digits, 8))}`;
}

/** Tokens as people read them: `812`, `12.3k`, `1.2M`. */
export function tokens(count: number): string {
  for (const [unit, name] of [
    [MILLION, "M"],
    [1000, "k"],
  ] as const) {
    if (count >= unit) {
      return `${(count / unit).toFixed(count < 100 * unit ? 1 : 0).replace(/\.0$/, "")}${name}`;
    }
  }
  return String(count);
}
