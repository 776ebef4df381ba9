/** *Fix with BestChat* below what a cell has raised. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { INotebookTracker } from "@jupyterlab/notebook";
import { errorRendererFactory, IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";

import { FixableError } from "../ui/FixableError.js";
import { CellCommands, DOMAIN } from "./names.js";

/** Before JupyterLab's own renderer of errors. */
const RANK = 0;

export const errors: JupyterFrontEndPlugin<void> = {
  id: "bestchat:errors",
  description: "A button below errors that asks how to fix them.",
  autoStart: true,
  requires: [IRenderMimeRegistry, INotebookTracker],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    tracker: INotebookTracker,
    translator: ITranslator | null,
  ) => {
    const label = (translator ?? nullTranslator).load(DOMAIN).__("Fix with BestChat");
    const fix = (place: Node): void => {
      const notebook = tracker.currentWidget?.content;
      const index = notebook?.widgets.findIndex((cell) => cell.node.contains(place)) ?? -1;
      if (notebook !== undefined && index >= 0) {
        notebook.activeCellIndex = index;
        void app.commands.execute(CellCommands.fix);
      }
    };
    rendermime.addFactory(
      {
        ...errorRendererFactory,
        createRenderer: (options) =>
          new FixableError(errorRendererFactory.createRenderer(options), label, fix),
      },
      RANK,
    );
  },
};
