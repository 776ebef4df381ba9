import { useEffect, useRef, useState } from "react";

import { GrowingTextarea } from "./GrowingTextarea.js";
import { useTrans } from "./services.js";

interface Props {
  text: string;
  onCancel: () => void;
  onSend: (text: string) => Promise<void>;
}

/** A question that is being said differently; the former one stays, as a branch. */
export function QuestionEditor({ text, onCancel, onSend }: Props) {
  const trans = useTrans();
  const [changed, setChanged] = useState(text);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(text.length, text.length);
  }, [text]);
  const send = (): void => {
    if (changed.trim() !== "") {
      void onSend(changed);
    }
  };
  return (
    <div className="jp-BestChat-questionEditor">
      <GrowingTextarea
        ref={area}
        label={trans.__("Edit your message")}
        value={changed}
        onChange={setChanged}
        onEnter={send}
        onEscape={onCancel}
      />
      <div className="jp-BestChat-row jp-BestChat-end">
        <button type="button" className="jp-BestChat-button" onClick={onCancel}>
          {trans.__("Cancel")}
        </button>
        <button
          type="button"
          className="jp-BestChat-button jp-mod-primary"
          disabled={changed.trim() === ""}
          onClick={send}
        >
          {trans.__("Send as a new branch")}
        </button>
      </div>
    </div>
  );
}
