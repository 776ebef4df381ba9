import { useCallback, useEffect, useMemo, useState } from "react";

import type { Attachment } from "../conversation/attachments.js";
import type { ContextItem, ContextSource } from "../tokens.js";
import { useServices } from "./services.js";

interface ContextChoice {
  readonly items: readonly ContextItem[];
  goesAlong: (item: ContextItem) => boolean;
  toggle: (item: ContextItem) => void;
  /** Have things of these kinds go along with the next message. */
  take: (kinds: readonly string[]) => void;
  /** What goes along right now. */
  attachments: () => Attachment[];
  /**
   * What goes along with this message, and gives back what was switched on for it: that does not go
   * along with the next one.
   */
  spend: () => { attachments: Attachment[]; kinds: readonly string[] };
}

/**
 * What the user looks at, and which of it goes along.
 *
 * What was switched on goes along once: the next question may be about another notebook, and to
 * another provider. What was switched off stays so, by kind.
 */
export function useContextItems(): ContextChoice {
  const { contextSources, memory, trans } = useServices();
  const [items, setItems] = useState<readonly ContextItem[]>([]);
  const [taken, setTaken] = useState<ReadonlySet<string>>(new Set());
  const [, setToggled] = useState(0);
  useEffect(() => {
    const look = (): void => {
      setItems(contextSources.sources.flatMap(itemsOf));
    };
    look();
    const ends = contextSources.sources.map((source) => source.watch(look));
    return () => {
      for (const end of ends) {
        end();
      }
    };
  }, [contextSources]);
  const take = useCallback((kinds: readonly string[]) => {
    setTaken((before) => new Set([...before, ...kinds]));
  }, []);
  return useMemo(() => {
    const left = ({ kind }: ContextItem): string => `context:${kind}`;
    const goesAlong = (item: ContextItem): boolean =>
      taken.has(item.kind) || (item.preset && memory.get(left(item)) !== "off");
    const attachments = (): Attachment[] =>
      items.filter(goesAlong).map((item) => ({
        kind: item.kind,
        name: item.name,
        content: contentOf(item) ?? trans.__("It could not be had."),
      }));
    return {
      items,
      goesAlong,
      toggle: (item) => {
        const on = goesAlong(item);
        setTaken((before) => new Set([...before].filter((kind) => kind !== item.kind)));
        if (item.preset) {
          memory.set(left(item), on ? "off" : "");
        } else if (!on) {
          take([item.kind]);
        }
        setToggled((count) => count + 1);
      },
      take,
      attachments,
      spend: () => {
        const spent = { attachments: attachments(), kinds: [...taken] };
        setTaken(new Set());
        return spent;
      },
    };
  }, [items, memory, trans, taken, take]);
}

/** Sources come from other extensions too, and look at notebooks that may just be going away. */
function itemsOf(source: ContextSource): readonly ContextItem[] {
  try {
    return source.items();
  } catch (error) {
    console.warn("BestChat: a source of context failed", error);
    return [];
  }
}

function contentOf(item: ContextItem): string | null {
  try {
    return item.content();
  } catch (error) {
    console.warn("BestChat: a source of context failed", error);
    return null;
  }
}
