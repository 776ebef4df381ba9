/**
 * Secrets in what goes along with a message are left out, by the same patterns as in `%%chat`. Pure.
 *
 * A pattern cannot know every secret: this is a net and no wall.
 */

import { SECRET_PATTERNS } from "./secretPatterns.generated.js";

/** What stands in the place of a secret. */
export const REDACTED = "[redacted]";

/** A text without what looks like a secret. */
export function redacted(text: string): string {
  return SECRET_PATTERNS.reduce((left, pattern) => left.replaceAll(pattern, withoutSecret), text);
}

function withoutSecret(found: string, ...more: unknown[]): string {
  if (found.includes(REDACTED)) {
    return found;
  }
  // The named groups come last, if a pattern has any.
  const groups = more.at(-1);
  const named = typeof groups === "object" ? (groups as { before?: string }) : {};
  return (named.before ?? "") + REDACTED;
}
