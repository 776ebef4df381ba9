/** What one wants of new conversations; who keeps it is not known here. */

import type { Schemas } from "../api/client.js";

export type ConversationSettings = Schemas["ConversationSettings"];

export interface Preferences {
  readonly settings: ConversationSettings;
  save(settings: ConversationSettings): Promise<void>;
}

/** Where nothing is kept, nothing is wanted. */
export const NO_PREFERENCES: Preferences = {
  settings: {},
  save: () => Promise.reject(new Error("there is no place to keep settings here")),
};
