/** Stands in for `@jupyterlab/ui-components` in the widget: its icons, as far as they are used. */

import type { ReactElement } from "react";

interface Options {
  name: string;
  svgstr: string;
}

interface Looks {
  tag?: "div" | "span";
  width?: string;
  height?: string;
}

/** An icon, as a component. */
export class LabIcon {
  readonly name: string;
  readonly react: (looks: Looks) => ReactElement;

  constructor({ name, svgstr }: Options) {
    this.name = name;
    this.react = function Icon({ tag: Tag = "span", width = "16px", height = width }) {
      const style = { display: "inline-flex", width, height };
      // Ours, and no model's.
      return <Tag style={style} dangerouslySetInnerHTML={{ __html: svgstr }} />;
    };
  }
}

function icon(name: string, path: string): LabIcon {
  const shape = `<path class="jp-icon3" fill="#616161" d="${path}"/>`;
  const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="100%" viewBox="0 0 24 24">${shape}</svg>`;
  return new LabIcon({ name, svgstr });
}

export const addIcon = icon("add", "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6Z");
export const caretDownEmptyIcon = icon("caret-down", "M7.4 9 12 13.6 16.6 9 18 10.4l-6 6-6-6Z");
export const checkIcon = icon("check", "M9 16.2 4.8 12l-1.4 1.4L9 19 21 7l-1.4-1.4Z");
export const closeIcon = icon(
  "close",
  "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6Z",
);
export const copyIcon = icon(
  "copy",
  "M16 2H5a2 2 0 0 0-2 2v13h2V4h11Zm3 4H9a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2Zm0 14H9V8h10Z",
);
export const editIcon = icon(
  "edit",
  "M3 17.2V21h3.8L17.8 9.9l-3.7-3.7Zm17.7-10.2a1 1 0 0 0 0-1.4l-2.3-2.3a1 1 0 0 0-1.4 0l-1.8 1.8 3.7 3.7Z",
);
export const refreshIcon = icon(
  "refresh",
  "M17.6 6.4A8 8 0 1 0 19.7 14h-2.1a6 6 0 1 1-1.4-6.2L13 11h7V4Z",
);
