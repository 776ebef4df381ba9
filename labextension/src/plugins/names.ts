/** Names that others refer to: in settings, in shortcuts, in other extensions. */

/** The domain of our translations. */
export const DOMAIN = "bestchat";

export const Commands = {
  open: "bestchat:open",
  create: "bestchat:new-conversation",
} as const;
