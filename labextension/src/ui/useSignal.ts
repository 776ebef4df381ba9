/** Values that change with a signal, in a component. */

import type { ISignal } from "@lumino/signaling";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";

/** Something whose `view` is a new object after each `changed`. */
export interface Viewed<View> {
  readonly view: View;
  readonly changed: ISignal<unknown, View>;
}

/** The view, as of now. */
export function useView<View>(source: Viewed<View>): View {
  const subscribe = useCallback(
    (changed: () => void) => {
      source.changed.connect(changed);
      return () => {
        source.changed.disconnect(changed);
      };
    },
    [source],
  );
  return useSyncExternalStore(subscribe, () => source.view);
}

/** The view, at most once for each picture that the screen shows: for what changes very often. */
export function usePacedView<View>(source: Viewed<View>): View {
  const [shown, setShown] = useState(source.view);
  useEffect(() => {
    let frame = 0;
    const show = (): void => {
      frame = 0;
      setShown(source.view);
    };
    const changed = (): void => {
      frame ||= requestAnimationFrame(show);
    };
    show();
    source.changed.connect(changed);
    return () => {
      source.changed.disconnect(changed);
      cancelAnimationFrame(frame);
    };
  }, [source]);
  return shown;
}
