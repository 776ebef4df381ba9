/** Between notebooks and the chat: context, what is done with code, and what is asked about cells. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { Dialog, ICommandPalette, showDialog } from "@jupyterlab/apputils";
import { INotebookTracker, NotebookActions } from "@jupyterlab/notebook";
import { ITranslator, nullTranslator, type TranslationBundle } from "@jupyterlab/translation";
import { addBelowIcon } from "@jupyterlab/ui-components";

import { cellWithError, nameOf } from "../context/cells.js";
import { NotebookMentions } from "../context/mentions.js";
import { NotebookContext } from "../context/notebook.js";
import { KernelVariables } from "../context/variables.js";
import {
  IBestChat,
  ICodeActions,
  IContextSources,
  IMentionSources,
  ISlashCommands,
} from "../tokens.js";
import { DiffView } from "../ui/DiffView.js";
import { chatIcon, insertIcon, replaceIcon } from "../ui/icons.js";
import { CellCommands, DOMAIN } from "./names.js";

export const notebook: JupyterFrontEndPlugin<void> = {
  id: "bestchat:notebook",
  description: "What one looks at in a notebook, and what can be asked about a cell.",
  autoStart: true,
  requires: [
    ...[IBestChat, INotebookTracker],
    ...[ICodeActions, IContextSources, IMentionSources, ISlashCommands],
  ],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    chat: IBestChat,
    tracker: INotebookTracker,
    codeActions: ICodeActions,
    contextSources: IContextSources,
    mentionSources: IMentionSources,
    slashCommands: ISlashCommands,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    contextSources.add(new NotebookContext(tracker));
    mentionSources.add(new NotebookMentions(tracker, trans));
    mentionSources.add(new KernelVariables(tracker, trans));
    addCodeActions(codeActions, tracker, trans);
    addCommands(app, chat, tracker, trans);
    addSlashCommands(app, slashCommands, tracker, trans);
    for (const command of Object.values(CellCommands)) {
      palette?.addItem({ command, category: trans.__("BestChat") });
    }
  },
};

function addCodeActions(
  codeActions: ICodeActions,
  tracker: INotebookTracker,
  trans: TranslationBundle,
): void {
  const enabled = (): boolean => tracker.activeCell !== null;
  codeActions.add({
    id: "insert-below",
    label: trans.__("Insert into a new cell below"),
    icon: addBelowIcon,
    enabled,
    run: (code) => {
      const notebook = tracker.currentWidget?.content;
      if (notebook !== undefined) {
        NotebookActions.insertBelow(notebook);
        if (notebook.activeCell !== null) {
          notebook.activeCell.model.sharedModel.setSource(code);
          return notebook.scrollToCell(notebook.activeCell);
        }
      }
      return undefined;
    },
  });
  codeActions.add({
    id: "insert-here",
    label: trans.__("Insert at the cursor"),
    icon: insertIcon,
    enabled,
    run: (code) => {
      tracker.activeCell?.editor?.replaceSelection?.(code);
    },
  });
  codeActions.add({
    id: "replace",
    label: trans.__("Replace the cell…"),
    icon: replaceIcon,
    enabled,
    run: (code) => replaceCell(tracker, code, trans),
  });
}

/** Show what would change in the active cell, and change it if the user agrees. */
async function replaceCell(
  tracker: INotebookTracker,
  code: string,
  trans: TranslationBundle,
): Promise<void> {
  const panel = tracker.currentWidget;
  const cell = tracker.activeCell;
  if (panel === null || cell === null) {
    return;
  }
  const model = cell.model.sharedModel;
  const name = nameOf(panel.content, cell);
  const { button } = await showDialog({
    title: trans.__("Replace cell %1 of %2?", name, panel.title.label),
    body: new DiffView(model.getSource(), code),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__("Replace") })],
  });
  if (button.accept) {
    model.setSource(code);
  }
}

/** What can be asked about the active cell, by writing it. */
function addSlashCommands(
  { commands }: JupyterFrontEnd,
  slashCommands: ISlashCommands,
  tracker: INotebookTracker,
  trans: TranslationBundle,
): void {
  const about = {
    fix: trans.__("why the cell does not work, and how it would"),
    explain: trans.__("what the cell does"),
    document: trans.__("the cell with docstrings and comments"),
    test: trans.__("tests for what the cell defines"),
  };
  for (const [name, detail] of Object.entries(about)) {
    slashCommands.add({
      name,
      detail,
      enabled: () => tracker.activeCell !== null,
      run: async () => {
        await commands.execute(CellCommands[name as keyof typeof about]);
      },
    });
  }
}

function addCommands(
  app: JupyterFrontEnd,
  chat: IBestChat,
  tracker: INotebookTracker,
  trans: TranslationBundle,
): void {
  const isEnabled = (): boolean => tracker.activeCell !== null;
  const asks = {
    [CellCommands.explain]: [trans.__("Explain the Cell"), trans.__("Explain what this cell does.")],
    [CellCommands.fix]: [
      trans.__("Fix the Cell"),
      trans.__("This cell does not work. Say why, and give the whole cell as it should be."),
    ],
    [CellCommands.document]: [
      trans.__("Document the Cell"),
      trans.__("Give the whole cell with docstrings and comments where they help."),
    ],
    [CellCommands.test]: [trans.__("Test the Cell"), trans.__("Write tests for what this cell defines.")],
  };
  for (const [command, [label = "", question = ""]] of Object.entries(asks)) {
    app.commands.addCommand(command, {
      label,
      icon: chatIcon,
      isEnabled,
      execute: async () => {
        const notebook = tracker.currentWidget?.content;
        if (notebook?.activeCell != null) {
          await chat.ask(question, cellWithError(notebook, notebook.activeCell));
        }
      },
    });
  }
  app.commands.addCommand(CellCommands.ask, {
    label: trans.__("Ask about the Cell"),
    caption: trans.__("Ask BestChat about this cell"),
    icon: chatIcon,
    isEnabled,
    execute: () => {
      chat.compose("", ["cell", "selection"]);
    },
  });
}
