/** Code that a chat cell has brought goes into one cell below it. */

import type { ICellModel, ICodeCellModel } from "@jupyterlab/cells";
import type { INotebookModel } from "@jupyterlab/notebook";

/** Metadata of the cell that holds the code: which cell it was made by, and what was put there. */
const MADE = "bestchat_made";

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

/** Put code below a cell: in the place of what it has put there, unless that was changed; else into a new cell. */
export function putBelow(notebook: INotebookModel, cell: ICellModel, code: string): void {
  const cells = Array.from(notebook.cells);
  const index = cells.findIndex(({ id }) => id === cell.id);
  if (index < 0) {
    return; // deleted meanwhile
  }
  const made = { by: cell.id, hash: hashOf(code) };
  const below = cells[index + 1];
  if (below !== undefined && isAsMade(below, cell)) {
    below.sharedModel.setSource(code);
    below.setMetadata(MADE, made);
    return;
  }
  notebook.sharedModel.insertCell(index + 1, {
    cell_type: "code",
    source: code,
    metadata: { [MADE]: made },
  });
}

/** Whether a cell holds just what another one has put there: what somebody wrote is theirs. */
function isAsMade(below: ICellModel, cell: ICellModel): boolean {
  const made = below.getMetadata(MADE) as { by?: string; hash?: string } | undefined;
  return (
    below.type === "code" &&
    made?.by === cell.id &&
    made.hash === hashOf(below.sharedModel.getSource())
  );
}

/** Tells an edited text from an unedited one (FNV-1a): nobody gains by making two alike. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0).toString(16);
}
