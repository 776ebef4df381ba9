import type { ContextItem } from "../tokens.js";
import { useTrans } from "./services.js";

interface Props {
  items: readonly ContextItem[];
  goesAlong: (item: ContextItem) => boolean;
  onToggle: (item: ContextItem) => void;
}

/** What the user looks at; a click decides whether it goes along. */
export function ContextChips({ items, goesAlong, onToggle }: Props) {
  const trans = useTrans();
  if (items.length === 0) {
    return null;
  }
  return (
    <div className="jp-BestChat-chips" role="group" aria-label={trans.__("What goes along")}>
      {items.map((item) => {
        const on = goesAlong(item);
        return (
          <button
            key={item.kind}
            type="button"
            className="jp-BestChat-chip"
            aria-pressed={on}
            title={on ? trans.__("Goes along; click to leave it out") : trans.__("Click to send it along")}
            onClick={() => {
              onToggle(item);
            }}
          >
            <span aria-hidden>{on ? "✓" : "+"}</span> {item.kind} {item.name}
          </button>
        );
      })}
    </div>
  );
}
