/** Holds a place in a long list, and fills it only while it is near what is seen. */

import { useEffect, useRef, useState, type ReactNode } from "react";

/** Pixels beyond the visible part at which a place is filled. */
const MARGIN = "800px 0px";

const TYPICAL_HEIGHT = 96;

interface Props {
  /** Whether it is filled wherever it is: what grows must not wait to be seen. */
  always: boolean;
  children: ReactNode;
}

export function Near({ always, children }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(always);
  const height = useRef(TYPICAL_HEIGHT);

  useEffect(() => {
    const element = place.current;
    if (element === null || always) {
      return;
    }
    const root = element.closest(".jp-BestChat-scroller");
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry === undefined) {
          return;
        }
        if (!entry.isIntersecting && entry.boundingClientRect.height > 0) {
          height.current = entry.boundingClientRect.height;
        }
        setNear(entry.isIntersecting);
      },
      { root, rootMargin: MARGIN },
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [always]);

  const filled = always || near;
  return (
    <div ref={place} style={filled ? undefined : { height: height.current }}>
      {filled ? children : null}
    </div>
  );
}
