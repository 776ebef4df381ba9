/** Where one writes in a chat in an output cell: a text, who is to answer it, and the way to send it. */

import { useEffect, useRef, useState } from "react";

import type { ConversationModel } from "../conversation/model.js";
import { activeTurn, type Turn } from "../conversation/state.js";
import { GrowingTextarea } from "../ui/GrowingTextarea.js";
import { IconButton } from "../ui/IconButton.js";
import { sendIcon, stopIcon } from "../ui/icons.js";
import { ModelPicker } from "../ui/ModelPicker.js";
import { useServices } from "../ui/services.js";
import { useView } from "../ui/useSignal.js";
import type { CommDoor } from "./comm.js";

/** Milliseconds in which a kernel that is there has said something. */
const PATIENCE = 3000;

interface Props {
  model: ConversationModel | null;
  door: CommDoor;
}

export function WidgetComposer({ model, door }: Props) {
  const { manager, trans } = useServices();
  const kernel = useView(door);
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState("");
  const turn = useTurn(model);
  const late = useLate(kernel === "unheard");

  const send = async (): Promise<void> => {
    const said = text.trim();
    if (said === "") {
      return;
    }
    setText("");
    if (!(await manager.send(() => ({ text: said })))) {
      setText((typed) => (typed === "" ? said : typed));
    }
  };

  if (kernel === "unheard" && late) {
    return (
      <div className="jp-BestChat-widgetNote" role="status">
        {trans.__("No kernel answers: this is what was said. Run the cell to go on.")}
      </div>
    );
  }
  return (
    <div className="jp-BestChat-composer">
      <GrowingTextarea
        ref={area}
        label={trans.__("Message")}
        placeholder={trans.__("Ask anything. Shift+Enter for a new line")}
        value={text}
        onChange={setText}
        onEnter={() => void send()}
      />
      <div className="jp-BestChat-composerBar">
        <ModelPicker onChosen={() => area.current?.focus()} />
        <span className="jp-BestChat-spacer" />
        {kernel === "busy" && (
          <span className="jp-BestChat-muted" role="status">
            {trans.__("The kernel is busy…")}
          </span>
        )}
        {turn !== null && (
          <IconButton
            className="jp-BestChat-stop"
            icon={stopIcon}
            label={turn.cancelling === true ? trans.__("Stopping…") : trans.__("Stop")}
            disabled={turn.cancelling === true}
            onClick={() => {
              area.current?.focus(); // the button goes away
              void manager.stop(turn.id);
            }}
          />
        )}
        {(turn === null || text.trim() !== "") && (
          <IconButton
            className="jp-BestChat-send"
            icon={sendIcon}
            label={turn === null ? trans.__("Send") : trans.__("Send after this answer")}
            disabled={text.trim() === ""}
            onClick={() => void send()}
          />
        )}
      </div>
    </div>
  );
}

/** The turn that keeps the conversation busy. */
function useTurn(model: ConversationModel | null): Turn | null {
  const [turn, setTurn] = useState<Turn | null>(null);
  useEffect(() => {
    const look = (): void => {
      const state = model?.view.state;
      setTurn(state == null ? null : activeTurn(state));
    };
    look();
    model?.changed.connect(look);
    return () => {
      model?.changed.disconnect(look);
    };
  }, [model]);
  return turn;
}

/** Whether something has lasted for too long. */
function useLate(lasting: boolean): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!lasting) {
      setLate(false);
      return;
    }
    const timer = setTimeout(() => {
      setLate(true);
    }, PATIENCE);
    return () => {
      clearTimeout(timer);
    };
  }, [lasting]);
  return late;
}
