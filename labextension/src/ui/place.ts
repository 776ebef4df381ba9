/** Which part of the panel is shown. */
export type Place = "chat" | "history" | "settings";
