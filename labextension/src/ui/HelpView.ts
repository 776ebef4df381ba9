import type { TranslationBundle } from "@jupyterlab/translation";
import { Widget } from "@lumino/widgets";

import type { SlashCommand } from "../tokens.js";

/** What can be written into a message, in a dialog. */
export class HelpView extends Widget {
  constructor(commands: readonly SlashCommand[], trans: TranslationBundle) {
    super();
    this.addClass("jp-BestChat-help");
    const mentions: [string, string][] = [
      ["@df", trans.__("a variable of the notebook, in few words")],
      ["@cell:3, @notebook", trans.__("a cell, or all of them")],
      ["@selection, @error", trans.__("what is marked, what the cell has raised")],
      ["@file:path", trans.__("a text file in the server's folder")],
      ["@url:address", trans.__("a page on the web")],
      ['@conversation:"title"', trans.__("what was said in another conversation")],
      ["Shift+Enter", trans.__("a new line")],
      ["↑", trans.__("in the empty field: what was asked before")],
    ];
    const does = commands.map(({ name, argument, detail }): [string, string] => [
      argument === undefined ? `/${name}` : `/${name} ${argument}`,
      detail,
    ]);
    const list = document.createElement("dl");
    for (const [term, meaning] of [...does, ...mentions]) {
      list.append(element("dt", term), element("dd", meaning));
    }
    this.node.append(list);
  }
}

function element(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
