/** What the user looks at in a notebook. */

import type { Cell, CodeCell } from "@jupyterlab/cells";
import type { IOutputAreaModel } from "@jupyterlab/outputarea";
import { NotebookActions, type INotebookTracker, type NotebookPanel } from "@jupyterlab/notebook";

import type { ContextItem, ContextSource } from "../tokens.js";
import { cellContent, errorOf, nameOf, notebookContent, selectionIn } from "./cells.js";

export class NotebookContext implements ContextSource {
  readonly #tracker: INotebookTracker;
  /** The cell that was run last: running one often makes the next one the active one. */
  #lastRun: Cell | null = null;

  constructor(tracker: INotebookTracker) {
    this.#tracker = tracker;
    NotebookActions.executed.connect((_, { cell }) => {
      this.#lastRun = cell;
    });
  }

  items(): readonly ContextItem[] {
    const panel = this.#tracker.currentWidget;
    if (panel === null) {
      return [];
    }
    return [...itemsOfCell(panel), ...this.#itemOfError(panel), itemOfNotebook(panel)];
  }

  watch(changed: () => void): () => void {
    const { currentChanged, activeCellChanged, selectionChanged } = this.#tracker;
    const signals = [currentChanged, activeCellChanged, selectionChanged, NotebookActions.executed];
    for (const signal of signals) {
      signal.connect(changed);
    }
    const outputs = new ActiveOutputs(this.#tracker, changed);
    // What one marks inside of a cell, no signal tells.
    document.addEventListener("selectionchange", changed);
    return () => {
      for (const signal of signals) {
        signal.disconnect(changed);
      }
      outputs.dispose();
      document.removeEventListener("selectionchange", changed);
    };
  }

  /** What the active cell has raised, else the one that was run last. */
  #itemOfError({ content: notebook }: NotebookPanel): ContextItem[] {
    for (const cell of [notebook.activeCell, this.#lastRun]) {
      const here = cell !== null && !cell.isDisposed && notebook.widgets.includes(cell);
      const error = here ? errorOf(cell) : null;
      if (error !== null) {
        return [{ kind: "error", name: error.name, preset: false, content: () => error.content }];
      }
    }
    return [];
  }
}

/** Tells when the outputs of the active cell change, whichever that is. */
class ActiveOutputs {
  readonly #tracker: INotebookTracker;
  readonly #changed: () => void;
  #outputs: IOutputAreaModel | null = null;

  constructor(tracker: INotebookTracker, changed: () => void) {
    this.#tracker = tracker;
    this.#changed = changed;
    tracker.activeCellChanged.connect(this.#follow, this);
    this.#follow();
  }

  dispose(): void {
    this.#tracker.activeCellChanged.disconnect(this.#follow, this);
    this.#outputs?.changed.disconnect(this.#look, this);
  }

  #follow(): void {
    this.#outputs?.changed.disconnect(this.#look, this);
    const cell = this.#tracker.activeCell;
    const code = cell !== null && !cell.isDisposed && cell.model.type === "code";
    this.#outputs = code ? (cell as CodeCell).model.outputs : null;
    this.#outputs?.changed.connect(this.#look, this);
  }

  /** Text that is added to what is there already comes often, and changes nothing of interest. */
  #look(_: unknown, { type }: IOutputAreaModel.ChangedArgs): void {
    if (type !== "set") {
      this.#changed();
    }
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

/** The cell, or what is marked in it. */
function itemsOfCell({ content: notebook }: NotebookPanel): ContextItem[] {
  const cell = notebook.activeCell;
  if (cell === null || cell.isDisposed) {
    return [];
  }
  const name = nameOf(notebook, cell);
  const marked = selectionIn(cell);
  return marked === ""
    ? [{ kind: "cell", name, preset: false, content: () => cellContent(cell) }]
    : [{ kind: "selection", name: `cell ${name}`, preset: true, content: () => marked }];
}
