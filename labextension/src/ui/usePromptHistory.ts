import { useRef } from "react";

import { useServices } from "./services.js";

const NAME = "prompts";
const MOST = 50;
const LONGEST = 4000;

interface PromptHistory {
  readonly walking: boolean;
  /** The one before; the text that stands there is kept for the way back. */
  older(standing: string): string | null;
  newer(): string | null;
  add(text: string): void;
  /** The text was changed: the walk is over. */
  leave(): void;
}

/** What one has asked before, to be asked again. */
export function usePromptHistory(): PromptHistory {
  const { memory } = useServices();
  const place = useRef(-1);
  const kept = useRef("");
  const read = (): string[] => {
    try {
      const found: unknown = JSON.parse(memory.get(NAME) || "[]");
      return Array.isArray(found) ? found.filter((item) => typeof item === "string") : [];
    } catch {
      return [];
    }
  };
  return {
    get walking() {
      return place.current >= 0;
    },
    older(standing) {
      const found = read()[place.current + 1];
      if (found === undefined) {
        return null;
      }
      if (place.current < 0) {
        kept.current = standing;
      }
      place.current += 1;
      return found;
    },
    newer() {
      place.current -= 1;
      return place.current < 0 ? kept.current : (read()[place.current] ?? null);
    },
    add(text) {
      place.current = -1;
      if (text.length <= LONGEST) {
        const others = read().filter((item) => item !== text);
        memory.set(NAME, JSON.stringify([text, ...others].slice(0, MOST)));
      }
    },
    leave() {
      place.current = -1;
    },
  };
}
