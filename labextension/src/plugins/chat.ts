/** The panel itself, its commands, and what other extensions can ask of it. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IEditorLanguageRegistry } from "@jupyterlab/codemirror";
import { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import { ISettingRegistry } from "@jupyterlab/settingregistry";
import { ITranslator, nullTranslator } from "@jupyterlab/translation";

import { Client } from "../api/client.js";
import { FileTransfer } from "../api/files.js";
import { ConversationMentions } from "../context/conversations.js";
import { FileMentions } from "../context/files.js";
import { PageMentions } from "../context/pages.js";
import { compose } from "../conversation/attachments.js";
import { Catalog } from "../conversation/catalog.js";
import { ConversationManager } from "../conversation/manager.js";
import { BrowserMemory } from "../conversation/memory.js";
import { NO_PREFERENCES } from "../conversation/preferences.js";
import { Uploads } from "../conversation/uploads.js";
import {
  IBestChat,
  ICodeActions,
  IContextSources,
  IMentionSources,
  ISlashCommands,
} from "../tokens.js";
import { chatIcon } from "../ui/icons.js";
import { ModelOutputSanitizer } from "../ui/markdown/sanitizer.js";
import { PanelWidget } from "../ui/PanelWidget.js";
import { DOMAIN, Commands } from "./names.js";
import { panelCommands, runningTurn, stopAnswer } from "./panelCommands.js";
import { LabPreferences } from "./preferences.js";

export const chat: JupyterFrontEndPlugin<IBestChat> = {
  id: "bestchat:chat",
  description: "The chat panel.",
  autoStart: true,
  provides: IBestChat,
  requires: [
    IRenderMimeRegistry,
    IEditorLanguageRegistry,
    ICodeActions,
    IContextSources,
    IMentionSources,
    ISlashCommands,
  ],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    languages: IEditorLanguageRegistry,
    codeActions: ICodeActions,
    contextSources: IContextSources,
    mentionSources: IMentionSources,
    slashCommands: ISlashCommands,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
  ): IBestChat => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const connection = app.serviceManager.serverSettings;
    const client = new Client(connection);
    const memory = new BrowserMemory(connection.baseUrl, window.localStorage);
    const files = new FileTransfer(connection);
    const preferences = settings === null ? NO_PREFERENCES : new LabPreferences(settings);
    const manager = new ConversationManager(client, connection, memory, preferences);
    const catalog = new Catalog(client);
    mentionSources.add(new FileMentions(app.serviceManager.contents, trans));
    mentionSources.add(new PageMentions(client, trans, () => catalog.view.site.pages));
    mentionSources.add(new ConversationMentions(client, trans));
    panelCommands(manager, catalog, slashCommands, trans).forEach((command) => {
      slashCommands.add(command);
    });
    const panel = new PanelWidget({
      manager,
      catalog,
      memory,
      files,
      uploads: new Uploads(client, files, memory),
      // What models say has no files of its own: nothing resolves their paths.
      rendermime: rendermime.clone({ sanitizer: new ModelOutputSanitizer(rendermime.sanitizer) }),
      languages,
      codeActions,
      contextSources,
      mentionSources,
      slashCommands,
      trans,
      tour: () => void app.commands.execute(Commands.tour),
    });
    app.shell.add(panel, "right", { rank: 100, type: "Chat" });
    restorer?.add(panel, panel.id);
    manager.restore();
    lookAfter(manager);

    const show = (): void => {
      app.shell.activateById(panel.id);
    };
    app.commands.addCommand(Commands.open, {
      label: trans.__("Open the Chat"),
      caption: trans.__("Show BestChat's panel"),
      icon: chatIcon,
      execute: show,
    });
    app.commands.addCommand(Commands.create, {
      label: trans.__("New Conversation"),
      icon: chatIcon,
      execute: () => {
        manager.close();
        panel.compose("");
        show();
      },
    });
    app.commands.addCommand(Commands.stop, {
      label: trans.__("Stop the Answer"),
      icon: chatIcon,
      isEnabled: () => runningTurn(manager) !== null,
      execute: () => stopAnswer(manager),
    });
    app.commands.addCommand(Commands.chooseModel, {
      label: trans.__("Choose a Model"),
      icon: chatIcon,
      execute: () => {
        catalog.choose(true);
        panel.compose("");
        show();
      },
    });
    for (const command of [Commands.open, Commands.create, Commands.stop, Commands.chooseModel]) {
      palette?.addItem({ command, category: trans.__("BestChat") });
    }
    return {
      show,
      ask: async (text, attachments = []) => {
        show();
        await manager.send(() => ({ text: compose(text, attachments) }));
      },
      compose: (text, along) => {
        show();
        panel.compose(text, along);
      },
    };
  },
};

/** Look after the line when the network is back, and when somebody looks at the page again. */
function lookAfter(manager: ConversationManager): void {
  window.addEventListener("online", () => {
    manager.wake();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      manager.wake();
    }
  });
}
