import { useTrans } from "./services.js";
import type { Mention } from "./useMentions.js";

/** What is mentioned, and whether it goes along. */
export function MentionChips({ mentions }: { mentions: readonly Mention[] }) {
  const trans = useTrans();
  if (mentions.length === 0) {
    return null;
  }
  return (
    <ul className="jp-BestChat-chips jp-BestChat-mentions" aria-label={trans.__("Mentioned")} aria-live="polite">
      {mentions.map((mention) => (
        <MentionChip key={mention.name} mention={mention} />
      ))}
    </ul>
  );
}

function MentionChip({ mention: { name, mentioned } }: { mention: Mention }) {
  const trans = useTrans();
  if (mentioned === null) {
    return <li className="jp-BestChat-chip">@{name} …</li>;
  }
  if ("attachment" in mentioned) {
    const { kind, content } = mentioned.attachment;
    return (
      <li className="jp-BestChat-chip" data-state="found" title={content.slice(0, 500)}>
        <span aria-hidden>✓</span> @{name} <span className="jp-BestChat-muted">{kind}</span>
      </li>
    );
  }
  const state = mentioned.busy === true ? "busy" : "unknown";
  const stays =
    mentioned.missing === undefined
      ? trans.__("It stays text.")
      : trans.__("Who answers is told that it is missing.");
  return (
    <li className="jp-BestChat-chip" data-state={state} title={`${mentioned.why} ${stays}`}>
      @{name}: {mentioned.why}
    </li>
  );
}
