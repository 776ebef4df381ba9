/** What can be done by writing a slash and a name, as far as the panel alone can do it. */

import { Dialog, showDialog } from "@jupyterlab/apputils";
import type { TranslationBundle } from "@jupyterlab/translation";

import type { Catalog } from "../conversation/catalog.js";
import type { ConversationManager } from "../conversation/manager.js";
import { activeTurn } from "../conversation/state.js";
import type { ISlashCommands, SlashCommand } from "../tokens.js";
import { HelpView } from "../ui/HelpView.js";
import { save } from "../ui/save.js";

const FORMATS = ["markdown", "notebook", "json"] as const;

export function panelCommands(
  manager: ConversationManager,
  catalog: Catalog,
  slashCommands: ISlashCommands,
  trans: TranslationBundle,
): SlashCommand[] {
  const current = (): string | null => manager.view.current?.id ?? null;
  const isOpen = (): boolean => current() !== null;
  return [
    {
      name: "help",
      detail: trans.__("what can be written here"),
      run: async () => {
        await showDialog({
          title: trans.__("In a message"),
          body: new HelpView(slashCommands.commands, trans),
          buttons: [Dialog.okButton({ label: trans.__("Close") })],
        });
      },
    },
    {
      name: "new",
      detail: trans.__("begin a new conversation"),
      run: () => {
        manager.close();
      },
    },
    {
      name: "model",
      detail: trans.__("who answers from now on"),
      argument: trans.__("name"),
      complete: (begun) => modelsLike(catalog, begun),
      run: (name) => {
        const [found] = modelsLike(catalog, name);
        manager.chooseModel(found?.name ?? (name === "" ? null : name));
      },
    },
    {
      name: "stop",
      detail: trans.__("stop the answer"),
      enabled: () => runningTurn(manager) !== null,
      run: () => stopAnswer(manager),
    },
    {
      name: "rename",
      detail: trans.__("give the conversation another title"),
      argument: trans.__("title"),
      enabled: isOpen,
      run: async (title) => {
        const id = current();
        if (id !== null && title !== "") {
          await manager.rename(id, title);
        }
      },
    },
    {
      name: "export",
      detail: trans.__("save the conversation as a file"),
      argument: FORMATS.join(" | "),
      enabled: isOpen,
      complete: (begun) =>
        FORMATS.filter((name) => name.startsWith(begun)).map((name) => ({ name, detail: "" })),
      run: async (given) => {
        const id = current();
        const format = FORMATS.find((name) => name === given) ?? "markdown";
        if (id !== null) {
          await exportAs(manager, id, format);
        }
      },
    },
  ];
}

function modelsLike(catalog: Catalog, part: string) {
  const wanted = part.toLowerCase();
  return (catalog.view.models?.models ?? [])
    .filter(({ ref, ready }) => ready !== false && ref.toLowerCase().includes(wanted))
    .map(({ ref, label = "" }) => ({ name: ref, detail: label }));
}

/** Stop the answer of the open conversation, if one is on its way. */
export async function stopAnswer(manager: ConversationManager): Promise<void> {
  const turn = runningTurn(manager);
  if (turn !== null) {
    await manager.stop(turn);
  }
}

export function runningTurn(manager: ConversationManager): string | null {
  const state = manager.view.current?.view.state ?? null;
  return state === null ? null : (activeTurn(state)?.id ?? null);
}

async function exportAs(
  manager: ConversationManager,
  id: string,
  format: (typeof FORMATS)[number],
): Promise<void> {
  await manager.attempt(async () => {
    const request = { conversation_id: id, format };
    const file = await manager.client.call("conversations.export", request);
    save(new Blob([file.content], { type: file.media_type }), file.name);
  });
}
