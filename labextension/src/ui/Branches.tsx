import type { ConversationModel } from "../conversation/model.js";
import { IconButton } from "./IconButton.js";
import { branchNextIcon, branchPreviousIcon } from "./icons.js";
import { useTrans } from "./services.js";

interface Props {
  model: ConversationModel;
  id: string;
  siblings: readonly string[];
}

/** The way from a message to those that stand beside it. */
export function Branches({ model, id, siblings }: Props) {
  const trans = useTrans();
  if (siblings.length < 2) {
    return null;
  }
  const place = siblings.indexOf(id);
  const walk = (step: number): void => {
    const there = siblings[place + step];
    if (there !== undefined) {
      model.choose(there);
    }
  };
  return (
    <span className="jp-BestChat-branches" role="group" aria-label={trans.__("Branches")}>
      <IconButton
        icon={branchPreviousIcon}
        label={trans.__("Previous branch")}
        disabled={place === 0}
        onClick={() => {
          walk(-1);
        }}
      />
      <span aria-live="polite">{`${String(place + 1)}/${String(siblings.length)}`}</span>
      <IconButton
        icon={branchNextIcon}
        label={trans.__("Next branch")}
        disabled={place === siblings.length - 1}
        onClick={() => {
          walk(1);
        }}
      />
    </span>
  );
}
