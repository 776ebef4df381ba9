/** What anywidget gives to a page: the model that it shares with Python. */

import type { ConversationState } from "../conversation/state.js";

/** The traits of `ChatPanel` that travel. */
export interface Traits {
  /** Id of the conversation that is shown; empty until there is one. */
  conversation: string;
  /** Model reference of who is to answer; empty for the default. */
  model: string;
  /** The conversation as it was when something was said last, for where no kernel is. */
  transcript: ConversationState | null;
  /** Pixels that it is high. */
  height: number;
}

export interface WidgetModel {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  on(event: "msg:custom", callback: (content: unknown) => void): void;
  on(event: `change:${keyof Traits}`, callback: () => void): void;
  off(event: string, callback: (...arguments_: never[]) => void): void;
  send(content: unknown): void;
}
