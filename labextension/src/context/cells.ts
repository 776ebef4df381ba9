/** What is known of cells, in the form in which it goes along with a message. */

import type { Cell, CodeCell } from "@jupyterlab/cells";
import type { Notebook } from "@jupyterlab/notebook";

import type { Attachment } from "../conversation/attachments.js";

/** Characters of one cell, of an error and of a whole notebook that go along at most. */
const MOST = { cell: 8000, error: 4000, notebook: 24_000 } as const;

/** What colours text in terminals. */
const COLOURS = /\u001b\[[0-9;]*m/g;

/** A text with its middle left out, if it is too long: errors say most at their end. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) {
    return text;
  }
  const half = Math.floor(most / 2);
  const left = String(text.length - 2 * half);
  return `${text.slice(0, half)}\n… [${left} characters left out] …\n${text.slice(-half)}`;
}

/** How a cell is called: by its number in the notebook, as \`@cell:3\` calls it. */
export function nameOf(notebook: Notebook, cell: Cell): string {
  return String(notebook.widgets.indexOf(cell) + 1);
}

export function cellContent(cell: Cell): string {
  return shortened(cell.model.sharedModel.getSource(), MOST.cell);
}

/** What the cell's last run raised; none if it did not. */
export function errorOf(cell: Cell): { name: string; content: string } | null {
  if (cell.model.type !== "code") {
    return null;
  }
  const outputs = (cell as CodeCell).model.outputs.toJSON();
  const error = outputs.find(({ output_type }) => output_type === "error");
  if (error === undefined) {
    return null;
  }
  const { ename, evalue, traceback } = error as {
    ename: string;
    evalue: string;
    traceback: string[];
  };
  const told = traceback.length > 0 ? traceback.join("\n") : `${ename}: ${evalue}`;
  return { name: ename, content: shortened(told.replaceAll(COLOURS, ""), MOST.error) };
}

/** All cells of a notebook, without their outputs. */
export function notebookContent(notebook: Notebook): string {
  const cells = notebook.widgets.map((cell, index) => {
    const source = cell.model.sharedModel.getSource();
    return `# cell ${String(index + 1)} (${cell.model.type})\n${source}`;
  });
  return shortened(cells.join("\n\n"), MOST.notebook);
}

/** What the user has marked in a cell; empty if nothing. */
export function selectionIn(cell: Cell): string {
  const { editor } = cell;
  if (editor === null) {
    return "";
  }
  const { start, end } = editor.getSelection();
  const source = cell.model.sharedModel.getSource();
  const [from, to] = [editor.getOffsetAt(start), editor.getOffsetAt(end)];
  return source.slice(Math.min(from, to), Math.max(from, to));
}

/** A cell with what it raised. */
export function cellWithError(notebook: Notebook, cell: Cell): Attachment[] {
  const name = nameOf(notebook, cell);
  const error = errorOf(cell);
  return [
    { kind: "cell", name, content: cellContent(cell) },
    ...(error === null ? [] : [{ kind: "error", ...error }]),
  ];
}
