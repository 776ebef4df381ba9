import { useEffect, useState } from "react";

import { Notice } from "./Notice.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

/** Milliseconds after which a lost line is worth a word: most come back before. */
const PATIENCE = 1500;

/** Says that the line is lost, why, and that it comes back. */
export function Banner() {
  const { manager, trans } = useServices();
  const { line } = useView(manager);
  const away = line.kind === "waiting" || line.kind === "connecting";
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (!away) {
      setShown(false);
      return;
    }
    const timer = setTimeout(() => {
      setShown(true);
    }, PATIENCE);
    return () => {
      clearTimeout(timer);
    };
  }, [away]);

  const reconnect = {
    label: trans.__("Reconnect now"),
    run: () => {
      manager.wake();
    },
  };
  if (line.kind === "closed") {
    const { error } = line;
    return <Notice kind="error" text={error.message} hint={error.hint} actions={[reconnect]} />;
  }
  if (!shown) {
    return null;
  }
  const reason = line.kind === "waiting" ? (line.error?.message ?? "") : "";
  return (
    <Notice
      kind="warning"
      text={`${trans.__("Reconnecting…")} ${reason}`}
      hint={trans.__("Answers go on at the server; nothing is lost.")}
      actions={[reconnect]}
    />
  );
}
