/** Markdown on pages that are not JupyterLab's: the same rules for what may come of it. */

import { Marked } from "marked";

import { onlyMarkdown } from "../ui/markdown/sanitizer.js";

const marked = new Marked({
  gfm: true,
  renderer: {
    // Tags in an answer are text: whoever writes them shows them.
    html: ({ text }) => escaped(text),
  },
});

/** As much of a renderer of JupyterLab's as is used of one. */
export class ProseRenderer {
  readonly node = document.createElement("div");
  isDisposed = false;

  constructor() {
    this.node.className = "jp-RenderedHTMLCommon jp-RenderedMarkdown";
  }

  renderModel(model: { data: Readonly<Record<string, unknown>> }): Promise<void> {
    const source = model.data["text/markdown"];
    this.node.innerHTML = toHtml(typeof source === "string" ? source : "");
    return Promise.resolve();
  }

  dispose(): void {
    this.isDisposed = true;
    this.node.remove();
  }
}

/** HTML with nothing in it that acts before somebody clicks. */
export function toHtml(source: string): string {
  return onlyMarkdown(marked.parse(source, { async: false }));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
