/** Code that a chat cell has brought goes into one cell below it. */

import type { ICellModel, ICodeCellModel } from "@jupyterlab/cells";
import type { INotebookModel } from "@jupyterlab/notebook";

/** Metadata of the cell that holds the code: which cell it was made by. */
const MADE_BY = "bestchat_made_by";

/** The code that the last run of a cell wants to have in a cell below; none for most. */
export function codeToInsert(cell: ICellModel): string | null {
  if (cell.type !== "code") {
    return null;
  }
  for (const { metadata } of (cell as ICodeCellModel).outputs.toJSON()) {
    const told = (metadata as { bestchat?: { insert?: unknown } } | undefined)?.bestchat;
    if (typeof told?.insert === "string") {
      return told.insert;
    }
  }
  return null;
}

/** Put code below a cell: in the place of what it has put there before, else into a new cell. */
export function putBelow(notebook: INotebookModel, cell: ICellModel, code: string): void {
  const cells = Array.from(notebook.cells);
  const index = cells.findIndex(({ id }) => id === cell.id);
  if (index < 0) {
    return; // deleted meanwhile
  }
  const made = cells.find((each) => each.type === "code" && each.getMetadata(MADE_BY) === cell.id);
  if (made !== undefined) {
    made.sharedModel.setSource(code);
    return;
  }
  notebook.sharedModel.insertCell(index + 1, {
    cell_type: "code",
    source: code,
    metadata: { [MADE_BY]: cell.id },
  });
}
