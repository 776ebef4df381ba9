/** `%%chat --insert`: the code of an answer goes into one cell below. */

import type { JupyterFrontEndPlugin } from "@jupyterlab/application";
import { NotebookActions } from "@jupyterlab/notebook";

import { codeToInsert, putBelow } from "../context/insertion.js";

export const insertion: JupyterFrontEndPlugin<void> = {
  id: "bestchat:insertion",
  description: "Puts the code of an answer into a cell below, where a chat cell asks for that.",
  autoStart: true,
  activate: () => {
    NotebookActions.executed.connect((_, { notebook, cell, success }) => {
      const code = success ? codeToInsert(cell.model) : null;
      if (code !== null && notebook.model !== null) {
        putBelow(notebook.model, cell.model, code);
      }
    });
  },
};
