/** Icons that JupyterLab does not have, drawn on its grid and in its colours. */

import { LabIcon } from "@jupyterlab/ui-components";

function icon(name: string, path: string): LabIcon {
  const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="${path}"/></svg>`;
  return new LabIcon({ name: `bestchat:${name}`, svgstr });
}

export const chatIcon = icon(
  "chat",
  "M4 3h16a2 2 0 0 1 2 2v11a2 2 0 0 1-2 2H9.8L5.6 21.4A1 1 0 0 1 4 20.6V18a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2Zm0 2v11h2v2.4L9 16h11V5Zm3 3h10v1.6H7Zm0 3.4h7V13H7Z",
);
export const sendIcon = icon("send", "M12 4l7 7-1.4 1.4L13 7.8V20h-2V7.8l-4.6 4.6L5 11Z");
export const attachIcon = icon(
  "attach",
  "M16.5 6v11.5a4 4 0 0 1-8 0V5a2.5 2.5 0 0 1 5 0v10.5a1 1 0 0 1-2 0V6H10v9.5a2.5 2.5 0 0 0 5 0V5a4 4 0 0 0-8 0v12.5a5.5 5.5 0 0 0 11 0V6Z",
);
export const fileIcon = icon(
  "file",
  "M6 2h8l6 6v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2Zm0 2v16h12V9h-5V4Z",
);
export const stopIcon = icon(
  "stop",
  "M8 6h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2Z",
);
export const historyIcon = icon(
  "history",
  "M13 3a9 9 0 0 0-9 9H1l4 4 4-4H6a7 7 0 1 1 2.05 4.95l-1.42 1.42A9 9 0 1 0 13 3Zm-1 5v5l4.3 2.5.7-1.2-3.5-2.1V8Z",
);
export const starIcon = icon(
  "star",
  "M22 9.2l-7.2-.6L12 2 9.2 8.6 2 9.2l5.5 4.8L5.8 21 12 17.3l6.2 3.7-1.7-7ZM12 15.4l-3.8 2.3 1-4.3-3.3-2.9 4.4-.4L12 6.1l1.7 4 4.4.4-3.3 2.9 1 4.3Z",
);
export const starredIcon = icon(
  "starred",
  "M12 17.3l6.2 3.7-1.7-7L22 9.2l-7.2-.6L12 2 9.2 8.6 2 9.2l5.5 4.8L5.8 21Z",
);
export const archiveIcon = icon(
  "archive",
  "M20.5 5.2l-1.4-1.7A1.5 1.5 0 0 0 18 3H6c-.5 0-.9.2-1.2.5L3.5 5.2c-.3.4-.5.8-.5 1.3V19a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2V6.5c0-.5-.2-.9-.5-1.3ZM6.2 5h11.6l.8 1H5.4ZM5 19V8h14v11Zm8-9h-2v4H8l4 4 4-4h-3Z",
);
export const insertIcon = icon("insert", "M3 5h18v2H3Zm0 4h18v2H3Zm8 4h2v3h3v2h-3v3h-2v-3H8v-2h3Z");
export const replaceIcon = icon(
  "replace",
  "M6 7h9V4l5 4-5 4V9H6Zm12 10H9v3l-5-4 5-4v3h9Z",
);
export const arrowDownIcon = icon("arrow-down", "M11 4h2v12.2l4.6-4.6L19 13l-7 7-7-7 1.4-1.4 4.6 4.6Z");
export const branchPreviousIcon = icon("previous", "M15.4 7.4 14 6l-6 6 6 6 1.4-1.4L10.8 12Z");
export const branchNextIcon = icon("next", "M8.6 16.6 10 18l6-6-6-6-1.4 1.4L13.2 12Z");
export const pinIcon = icon(
  "pin",
  "M16 9V4h1V2H7v2h1v5a3 3 0 0 1-3 3v2h6v7l1 1 1-1v-7h6v-2a3 3 0 0 1-3-3Zm-6.2 3c.8-.8 1.2-1.9 1.2-3V4h2v5c0 1.1.4 2.2 1.2 3Z",
);
export const lockIcon = icon(
  "lock",
  "M18 8h-1V6A5 5 0 0 0 7 6v2H6a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V10a2 2 0 0 0-2-2ZM9 6a3 3 0 0 1 6 0v2H9Zm9 14H6V10h12Zm-6-3a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
);
