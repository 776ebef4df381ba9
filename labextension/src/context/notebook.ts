/** What the user looks at in a notebook. */

import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";

import type { ContextItem, ContextSource } from "../tokens.js";
import { cellContent, errorOf, nameOf, notebookContent, selectionIn } from "./cells.js";

export class NotebookContext implements ContextSource {
  readonly #tracker: INotebookTracker;

  constructor(tracker: INotebookTracker) {
    this.#tracker = tracker;
  }

  items(): readonly ContextItem[] {
    const panel = this.#tracker.currentWidget;
    if (panel === null) {
      return [];
    }
    return [...itemsOfCell(panel), itemOfNotebook(panel)];
  }

  watch(changed: () => void): () => void {
    const { currentChanged, activeCellChanged, selectionChanged } = this.#tracker;
    const signals = [currentChanged, activeCellChanged, selectionChanged];
    for (const signal of signals) {
      signal.connect(changed);
    }
    // What one marks inside of a cell, and whether a run raised, no signal tells.
    document.addEventListener("selectionchange", changed);
    return () => {
      for (const signal of signals) {
        signal.disconnect(changed);
      }
      document.removeEventListener("selectionchange", changed);
    };
  }
}

function itemOfNotebook(panel: NotebookPanel): ContextItem {
  return {
    kind: "notebook",
    name: panel.context.path,
    preset: false,
    content: () => notebookContent(panel.content),
  };
}

/** The cell, or what is marked in it; and what its last run raised. */
function itemsOfCell({ content: notebook }: NotebookPanel): ContextItem[] {
  const cell = notebook.activeCell;
  if (cell === null) {
    return [];
  }
  const name = nameOf(notebook, cell);
  const marked = selectionIn(cell);
  const shown: ContextItem =
    marked === ""
      ? { kind: "cell", name, preset: false, content: () => cellContent(cell) }
      : { kind: "selection", name: `cell ${name}`, preset: true, content: () => marked };
  const error = errorOf(cell);
  return error === null
    ? [shown]
    : [shown, { kind: "error", name: error.name, preset: false, content: () => error.content }];
}
