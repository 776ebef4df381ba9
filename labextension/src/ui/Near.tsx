/** Holds a place in a long list, and fills it only while it is near what is seen. */

import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from "react";

/** Pixels beyond the visible part at which a place is filled. */
const MARGIN = "800px 0px";

const TYPICAL_HEIGHT = 96;

type Told = (entry: IntersectionObserverEntry) => void;

/** Watches all places of a list: one observer for each would cost more than the list itself. */
export class Nearness {
  readonly #told = new Map<Element, Told>();
  #observer: IntersectionObserver | null = null;

  /** Tell when an element comes near, and when it goes; gives what ends that. */
  watch(element: Element, told: Told): () => void {
    this.#told.set(element, told);
    this.#observer ??= new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          this.#told.get(entry.target)?.(entry);
        }
      },
      { root: element.closest(".jp-BestChat-scroller"), rootMargin: MARGIN },
    );
    this.#observer.observe(element);
    return () => {
      this.#told.delete(element);
      this.#observer?.unobserve(element);
      if (this.#told.size === 0) {
        this.#observer?.disconnect();
        this.#observer = null;
      }
    };
  }
}

export const NearnessContext = createContext(new Nearness());

interface Props {
  /** Whether it is filled wherever it is: what grows must not wait to be seen. */
  always: boolean;
  children: ReactNode;
}

export function Near({ always, children }: Props) {
  const nearness = useContext(NearnessContext);
  const place = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(always);
  const height = useRef(TYPICAL_HEIGHT);

  useEffect(() => {
    const element = place.current;
    if (element === null || always) {
      return;
    }
    return nearness.watch(element, (entry) => {
      if (!entry.isIntersecting && entry.boundingClientRect.height > 0) {
        height.current = entry.boundingClientRect.height;
      }
      setNear(entry.isIntersecting);
    });
  }, [nearness, always]);

  const filled = always || near;
  return (
    <div ref={place} style={filled ? undefined : { height: height.current }}>
      {filled ? children : null}
    </div>
  );
}
