/** The open conversation: its rows, and a place that follows what is new. */

import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";

import type { ConversationModel } from "../conversation/model.js";
import { rowsOf } from "../conversation/rows.js";
import { activeTurn } from "../conversation/state.js";
import { branch } from "../conversation/tree.js";
import { IconButton } from "./IconButton.js";
import { arrowDownIcon } from "./icons.js";
import { ListRow } from "./ListRow.js";
import { Nearness, NearnessContext } from "./Near.js";
import { useServices } from "./services.js";
import { usePacedView } from "./useSignal.js";

/** Rows at the end that are always filled: one sees them at once, and the newest one grows. */
const ALWAYS = 4;

/** Pixels from the end within which one is taken to be at the end. */
const AT_END = 48;

export function MessageList({ model }: { model: ConversationModel }) {
  const { manager, trans } = useServices();
  const { state, draft, choices } = usePacedView(model);
  const rows = useMemo(
    () => (state === null ? [] : rowsOf(state, branch(state, choices))),
    [state, choices],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [away, setAway] = useState(false);
  const [nearness] = useState(() => new Nearness());

  const toEnd = (): void => {
    following.current = true;
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  };
  const scrolled = useCallback((): void => {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = scroller.current ?? {};
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END;
    following.current = atEnd;
    setAway(!atEnd);
  }, []);

  // Whatever grows, grows upwards for somebody who looks at the end. What fits has no end to go to.
  useEffect(() => {
    if (content.current === null || scroller.current === null) {
      return;
    }
    const observer = new ResizeObserver(() => {
      if (following.current) {
        toEnd();
      } else if ((scroller.current?.clientHeight ?? 0) > 0) {
        scrolled(); // while it is hidden, nothing has a height
      }
    });
    observer.observe(content.current);
    observer.observe(scroller.current);
    return () => {
      observer.disconnect();
    };
  }, [scrolled]);

  // One's own question is looked at, wherever one was before.
  const lastQuestion = rows.findLast((row) => row.kind === "question")?.key;
  useEffect(toEnd, [lastQuestion]);

  const key = ({ key: pressed, target }: KeyboardEvent): void => {
    const running = state === null ? null : activeTurn(state);
    const writes = target instanceof Element && target.closest("input, textarea") !== null;
    if (pressed === "Escape" && !writes && running !== null && running.cancelling !== true) {
      void manager.stop(running.id);
    }
  };

  return (
    <div className="jp-BestChat-messages">
      <div
        ref={scroller}
        className="jp-BestChat-scroller"
        onScroll={scrolled}
        onKeyDown={key}
        tabIndex={0}
      >
        <div ref={content} role="log" aria-live="off" aria-label={trans.__("Messages")}>
          <NearnessContext.Provider value={nearness}>
            {rows.map((row, index) => (
              <ListRow
                key={row.key}
                row={row}
                model={model}
                draft={row.kind === "answer" && draft?.turnId === row.turn?.id ? draft : null}
                always={index >= rows.length - ALWAYS}
              />
            ))}
          </NearnessContext.Provider>
        </div>
      </div>
      {away && (
        <IconButton
          className="jp-BestChat-toEnd"
          icon={arrowDownIcon}
          label={trans.__("Go to the newest message")}
          onClick={toEnd}
        />
      )}
    </div>
  );
}
