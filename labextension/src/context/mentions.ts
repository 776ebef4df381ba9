/** Parts of the notebook that can be mentioned: `@cell:3`, `@notebook`, `@selection`, `@error`. */

import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import type { TranslationBundle } from "@jupyterlab/translation";

import type { Mentioned, MentionOption, MentionOptions, MentionSource } from "../tokens.js";
import { cellContent, errorOf, nameOf, notebookContent, selectionIn } from "./cells.js";

/** Cells that are listed to choose from. */
const MOST_CELLS = 50;
const NAMES = new Set(["notebook", "selection", "error"]);

export class NotebookMentions implements MentionSource {
  readonly #tracker: INotebookTracker;
  readonly #trans: TranslationBundle;

  constructor(tracker: INotebookTracker, trans: TranslationBundle) {
    this.#tracker = tracker;
    this.#trans = trans;
  }

  knows(name: string): boolean {
    return NAMES.has(name) || name.startsWith("cell:");
  }

  complete(begun: string): Promise<MentionOptions> {
    const panel = this.#tracker.currentWidget;
    const all = panel === null ? [] : this.#listed(panel);
    return Promise.resolve({ options: all.filter(({ name }) => name.startsWith(begun)) });
  }

  #listed({ content: notebook, context }: NotebookPanel): MentionOption[] {
    const cell = notebook.activeCell;
    const marked = cell === null ? "" : selectionIn(cell);
    const error = cell === null ? null : errorOf(cell);
    return [
      ...(marked === "" ? [] : [{ name: "selection", detail: this.#trans.__("what is marked") }]),
      ...(error === null ? [] : [{ name: "error", detail: error.name }]),
      { name: "notebook", detail: context.path },
      ...notebook.widgets.slice(0, MOST_CELLS).map((each) => ({
        name: `cell:${nameOf(notebook, each)}`,
        detail: firstLine(each.model.sharedModel.getSource()),
      })),
    ];
  }

  resolve(name: string): Promise<Mentioned> {
    const panel = this.#tracker.currentWidget;
    if (panel === null) {
      return Promise.resolve({ why: this.#trans.__("No notebook is open.") });
    }
    const content = contentOf(panel, name);
    if (content === null) {
      return Promise.resolve({ why: this.#trans.__("There is none in this notebook.") });
    }
    const [kind = "", number] = name.split(":");
    return Promise.resolve({ attachment: { kind, name: number ?? panel.context.path, content } });
  }
}

function contentOf({ content: notebook }: NotebookPanel, name: string): string | null {
  const cell = notebook.activeCell;
  switch (name) {
    case "notebook":
      return notebookContent(notebook);
    case "selection":
      return (cell === null ? "" : selectionIn(cell)) || null;
    case "error":
      return cell === null ? null : (errorOf(cell)?.content ?? null);
    default: {
      const named = notebook.widgets[Number(name.slice("cell:".length)) - 1];
      return named === undefined ? null : cellContent(named);
    }
  }
}

function firstLine(source: string): string {
  return source.split("\n").find((line) => line.trim() !== "") ?? "";
}
