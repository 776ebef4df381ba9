/** Whether an Ollama runs where BestChat does, and what it has. */

import { useCallback, useEffect, useRef, useState, type RefObject } from "react";

import type { Client } from "../../api/client.js";
import type { ModelFacts } from "../../conversation/catalog.js";
import { useServices } from "../services.js";

export type Ollama =
  | { kind: "unknown" }
  | { kind: "absent" }
  /** It runs, and nobody has pulled a model. */
  | { kind: "empty" }
  | { kind: "there"; models: readonly ModelFacts[] };

const NAME = "ollama";

/** Looks for it once somebody sees the element: a panel that is hidden asks nobody. */
export function useOllama(seen: RefObject<HTMLElement>): { ollama: Ollama; look: () => void } {
  const { manager } = useServices();
  const [ollama, setOllama] = useState<Ollama>({ kind: "unknown" });
  const asked = useRef(false);
  const look = useCallback(() => {
    find(manager.client).then(setOllama, () => {
      setOllama({ kind: "absent" });
    });
  }, [manager]);
  useEffect(() => {
    const element = seen.current;
    if (element === null) {
      return;
    }
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting === true && !asked.current) {
        asked.current = true;
        look();
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [seen, look]);
  return { ollama, look };
}

async function find(client: Client): Promise<Ollama> {
  const { models } = await client.call("models.list", { provider: NAME });
  if (models.length > 0) {
    return { kind: "there", models };
  }
  // Without a model a trial asks nothing: it only says why there is none.
  const { code } = await client.call("providers.test", { provider: NAME });
  return { kind: code === "no_model" ? "empty" : "absent" };
}
