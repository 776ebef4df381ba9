/** Names that others refer to: in settings, in shortcuts, in other extensions. */

/** The domain of our translations. */
export const DOMAIN = "bestchat";

/** What is done with the active cell. */
export const CellCommands = {
  ask: "bestchat:ask-about-cell",
  explain: "bestchat:explain-cell",
  fix: "bestchat:fix-cell",
  document: "bestchat:document-cell",
  test: "bestchat:test-cell",
} as const;

export const Commands = {
  open: "bestchat:open",
  create: "bestchat:new-conversation",
  stop: "bestchat:stop",
  chooseModel: "bestchat:choose-model",
  tour: "bestchat:tour",
} as const;
