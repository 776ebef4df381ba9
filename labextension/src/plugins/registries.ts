/** What other extensions add to; plugins of their own, so that they are there before the panel. */

import type { JupyterFrontEndPlugin } from "@jupyterlab/application";

import {
  ICodeActions,
  IContextSources,
  IMentionSources,
  ISlashCommands,
  type CodeAction,
  type ContextSource,
  type MentionSource,
  type SlashCommand,
} from "../tokens.js";

export const codeActions: JupyterFrontEndPlugin<ICodeActions> = {
  id: "bestchat:code-actions",
  description: "What can be done with a block of code in an answer.",
  autoStart: true,
  provides: ICodeActions,
  activate: () => {
    const actions: CodeAction[] = [];
    return { actions, add: (action) => void actions.push(action) };
  },
};

export const contextSources: JupyterFrontEndPlugin<IContextSources> = {
  id: "bestchat:context-sources",
  description: "Who knows what the user looks at.",
  autoStart: true,
  provides: IContextSources,
  activate: () => {
    const sources: ContextSource[] = [];
    return { sources, add: (source) => void sources.push(source) };
  },
};

export const mentionSources: JupyterFrontEndPlugin<IMentionSources> = {
  id: "bestchat:mention-sources",
  description: "What can be mentioned in a message.",
  autoStart: true,
  provides: IMentionSources,
  activate: () => {
    const sources: MentionSource[] = [];
    return { sources, add: (source) => void sources.push(source) };
  },
};

export const slashCommands: JupyterFrontEndPlugin<ISlashCommands> = {
  id: "bestchat:slash-commands",
  description: "What can be done by writing a slash and a name.",
  autoStart: true,
  provides: ISlashCommands,
  activate: () => {
    const commands: SlashCommand[] = [];
    return { commands, add: (command) => void commands.push(command) };
  },
};
