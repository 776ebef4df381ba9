/** A notebook that shows the chat from its other side. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { ITranslator, nullTranslator, type TranslationBundle } from "@jupyterlab/translation";
import type { Contents } from "@jupyterlab/services";

import { Commands, DOMAIN } from "./names.js";

const PATH = "BestChat tour.ipynb";

const TABLE = `SALES = {"city": ["Lima", "Oslo", "Rome"], "sales": [120, 40, 95]}
try:
    import pandas as pd
except ModuleNotFoundError:  # it works without
    df = SALES
else:
    df = pd.DataFrame(SALES)
df`;

export const tour: JupyterFrontEndPlugin<void> = {
  id: "bestchat:tour",
  description: "A notebook that shows the chat from its other side.",
  autoStart: true,
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { contents } = app.serviceManager;
    app.commands.addCommand(Commands.tour, {
      label: trans.__("Try the Chat in a Notebook"),
      execute: async () => {
        if (!(await exists(contents, PATH))) {
          await contents.save(PATH, { type: "notebook", format: "json", content: notebook(trans) });
        }
        await app.commands.execute("docmanager:open", { path: PATH });
      },
    });
    palette?.addItem({ command: Commands.tour, category: trans.__("BestChat") });
  },
};

async function exists(contents: Contents.IManager, path: string): Promise<boolean> {
  try {
    await contents.get(path, { content: false });
    return true;
  } catch {
    return false;
  }
}

function notebook(trans: TranslationBundle): unknown {
  const code = (id: string, source: string) => ({
    cell_type: "code",
    id,
    source,
    metadata: {},
    outputs: [],
    execution_count: null,
  });
  const text = (id: string, source: string) => ({ cell_type: "markdown", id, source, metadata: {} });
  return {
    cells: [
      text("begin", trans.__("# The chat in a notebook\n\nRun the cells one after the other.")),
      code("load", "%load_ext bestchat_kernel"),
      code("table", TABLE),
      code("chat", `%%chat\n${trans.__("Which city of @df sells most?")}`),
      text(
        "end",
        trans.__(
          "The panel on the right has the same conversation: start a new one there, and it offers to " +
            "continue this one.",
        ),
      ),
    ],
    metadata: { kernelspec: { name: "python3", display_name: "Python 3", language: "python" } },
    nbformat: 4,
    nbformat_minor: 5,
  };
}
