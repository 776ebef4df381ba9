import { useEffect, useMemo, useState } from "react";

import type { Attachment } from "../conversation/attachments.js";
import type { ContextItem, ContextSource } from "../tokens.js";
import { useServices } from "./services.js";

interface ContextChoice {
  readonly items: readonly ContextItem[];
  goesAlong: (item: ContextItem) => boolean;
  toggle: (item: ContextItem) => void;
  /** What goes along right now. */
  attachments: () => Attachment[];
}

/** What the user looks at, and which of it goes along; that is remembered by kind. */
export function useContextItems(): ContextChoice {
  const { contextSources, memory } = useServices();
  const [items, setItems] = useState<readonly ContextItem[]>([]);
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
  return useMemo(() => {
    const name = ({ kind }: ContextItem): string => `context:${kind}`;
    const goesAlong = (item: ContextItem): boolean => {
      const decided = memory.get(name(item));
      return decided === "" ? item.preset : decided === "on";
    };
    return {
      items,
      goesAlong,
      toggle: (item) => {
        memory.set(name(item), goesAlong(item) ? "off" : "on");
        setToggled((count) => count + 1);
      },
      attachments: () =>
        items.filter(goesAlong).map((item) => ({
          kind: item.kind,
          name: item.name,
          content: item.content(),
        })),
    };
  }, [items, memory]);
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
