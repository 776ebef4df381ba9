/** The tree of messages: which branch is shown, and which ones stand beside it. Pure. */

import type { ConversationState, Message } from "./state.js";

/** Which child is shown below a message; the newest where nothing is chosen. `ROOT` is above all. */
export type Choices = Readonly<Record<string, string>>;

export const ROOT = "";

/** The children of every message, in the order in which they were added. */
export function childrenOf(state: ConversationState): ReadonlyMap<string, readonly Message[]> {
  const children = new Map<string, Message[]>();
  for (const message of Object.values(state.messages)) {
    const parent = message.parent_id ?? ROOT;
    const siblings = children.get(parent);
    if (siblings === undefined) {
      children.set(parent, [message]);
    } else {
      siblings.push(message);
    }
  }
  return children;
}

/** A message of the branch that is shown, and its place among those that stand beside it. */
export interface Shown {
  message: Message;
  /** Ids of the messages with the same parent, itself included; oldest first. */
  siblings: readonly string[];
}

/** The branch that is shown, from its first message on. */
export function branch(state: ConversationState, choices: Choices): Shown[] {
  const children = childrenOf(state);
  const shown: Shown[] = [];
  let below = children.get(ROOT);
  while (below !== undefined) {
    const parent = shown.at(-1)?.message.id ?? ROOT;
    const message = below.find(({ id }) => id === choices[parent]) ?? below.at(-1);
    if (message === undefined) {
      break;
    }
    shown.push({ message, siblings: below.map(({ id }) => id) });
    below = children.get(message.id);
  }
  return shown;
}

/** Choices with which a message is on the branch that is shown. */
export function choose(state: ConversationState, choices: Choices, id: string): Choices {
  const chosen: Record<string, string> = { ...choices };
  let message = state.messages[id];
  while (message !== undefined) {
    chosen[message.parent_id ?? ROOT] = message.id;
    message = message.parent_id === null ? undefined : state.messages[message.parent_id];
  }
  return chosen;
}
