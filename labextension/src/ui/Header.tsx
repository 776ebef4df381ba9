import { addIcon, settingsIcon } from "@jupyterlab/ui-components";

import type { ConversationModel } from "../conversation/model.js";
import { IconButton } from "./IconButton.js";
import { historyIcon } from "./icons.js";
import type { Place } from "./place.js";
import { useTrans } from "./services.js";
import { Title } from "./Title.js";

interface Props {
  model: ConversationModel | null;
  place: Place;
  onGo: (place: Place) => void;
  /** A new conversation is to begin. */
  onNew: () => void;
}

export function Header({ model, place, onGo, onNew }: Props) {
  const trans = useTrans();
  const toggle = (to: Place) => () => {
    onGo(place === to ? "chat" : to);
  };
  return (
    <header className="jp-BestChat-header">
      <IconButton
        icon={historyIcon}
        label={trans.__("Conversations")}
        pressed={place === "history"}
        onClick={toggle("history")}
      />
      <Title model={place === "chat" ? model : null} place={place} />
      <IconButton
        icon={addIcon}
        label={trans.__("New conversation")}
        onClick={onNew}
      />
      <IconButton
        icon={settingsIcon}
        label={trans.__("Providers and settings")}
        pressed={place === "settings"}
        onClick={toggle("settings")}
      />
    </header>
  );
}
