/** Values that change with a signal, in a component. */

import type { ISignal } from "@lumino/signaling";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";

import type { ConversationModel, View } from "../conversation/model.js";

/** Something whose `view` is a new object after each `changed`. */
export interface Viewed<Shown> {
  readonly view: Shown;
  readonly changed: ISignal<unknown, Shown>;
}

/** What is read anew whenever a signal says that it may have changed. */
export function useValue<Value>(signal: ISignal<unknown, unknown>, read: () => Value): Value {
  const subscribe = useCallback(
    (changed: () => void) => {
      signal.connect(changed);
      return () => {
        signal.disconnect(changed);
      };
    },
    [signal],
  );
  return useSyncExternalStore(subscribe, read);
}

/** The view, as of now. */
export function useView<Shown>(source: Viewed<Shown>): Shown {
  return useValue(source.changed, () => source.view);
}

/** One thing of the open conversation, which is compared by identity; `none` where none is open. */
export function useConversation<Value>(
  model: ConversationModel | null,
  pick: (view: View) => Value,
  none: Value,
): Value {
  const subscribe = useCallback(
    (changed: () => void) => {
      model?.changed.connect(changed);
      return () => {
        model?.changed.disconnect(changed);
      };
    },
    [model],
  );
  return useSyncExternalStore(subscribe, () => (model === null ? none : pick(model.view)));
}

/** The view, at most once for each picture that the screen shows: for what changes very often. */
export function usePacedView<Shown>(source: Viewed<Shown>): Shown {
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
