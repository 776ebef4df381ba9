import { useEffect, useState } from "react";

import type { ConversationModel } from "../conversation/model.js";
import type { Place } from "./place.js";
import { useServices } from "./services.js";
import { useTitle } from "./useTitle.js";

interface Props {
  model: ConversationModel | null;
  place: Place;
}

/** What the open conversation is called; a click changes it. */
export function Title({ model, place }: Props) {
  const { manager, trans } = useServices();
  const title = useTitle(model);
  const [editing, setEditing] = useState(false);
  const [text, setText] = useState(title);
  useEffect(() => {
    setText(title);
    setEditing(false);
  }, [title, model]);

  if (model === null || title === null) {
    const names = {
      chat: trans.__("New conversation"),
      history: trans.__("Conversations"),
      settings: trans.__("Providers and settings"),
    };
    return <h2 className="jp-BestChat-title">{names[place]}</h2>;
  }
  if (!editing) {
    return (
      <h2 className="jp-BestChat-title">
        <button
          type="button"
          title={trans.__("Rename: %1", title)}
          onClick={() => {
            setEditing(true);
          }}
        >
          {title === "" ? trans.__("Untitled") : title}
        </button>
      </h2>
    );
  }
  const done = (): void => {
    setEditing(false);
    const changed = (text ?? "").trim();
    if (changed !== "" && changed !== title) {
      void manager.rename(model.id, changed);
    }
  };
  return (
    <input
      className="jp-BestChat-input jp-BestChat-title"
      aria-label={trans.__("Title")}
      autoFocus
      value={text ?? ""}
      onChange={(event) => {
        setText(event.target.value);
      }}
      onBlur={done}
      onKeyDown={(event) => {
        if (event.key === "Enter") {
          done();
        } else if (event.key === "Escape") {
          setText(title);
          setEditing(false);
        }
      }}
    />
  );
}
