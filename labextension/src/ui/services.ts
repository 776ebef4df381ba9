/** What components need from outside, given once at the top. */

import type { IEditorLanguageRegistry } from "@jupyterlab/codemirror";
import type { IRenderMimeRegistry } from "@jupyterlab/rendermime";
import type { TranslationBundle } from "@jupyterlab/translation";
import { createContext, useContext } from "react";

import type { Catalog } from "../conversation/catalog.js";
import type { FileTransfer } from "../api/files.js";
import type { ConversationManager } from "../conversation/manager.js";
import type { Memory } from "../conversation/memory.js";
import type { Uploads } from "../conversation/uploads.js";
import type {
  ICodeActions,
  IContextSources,
  IMentionSources,
  ISlashCommands,
} from "../tokens.js";

export interface Services {
  readonly manager: ConversationManager;
  readonly catalog: Catalog;
  readonly memory: Memory;
  /** Brings files to the server and back; none where there is no way for bytes. */
  readonly files: FileTransfer | null;
  /** Files that are about to go along with a message. */
  readonly uploads: Uploads;
  /** Renders what models say: nothing in it acts before somebody clicks. */
  readonly rendermime: IRenderMimeRegistry;
  readonly languages: IEditorLanguageRegistry;
  readonly codeActions: ICodeActions;
  readonly contextSources: IContextSources;
  readonly mentionSources: IMentionSources;
  readonly slashCommands: ISlashCommands;
  readonly trans: TranslationBundle;
  /** Opens a notebook that shows the chat there; none where there are no notebooks. */
  readonly tour?: () => void;
}

export const ServicesContext = createContext<Services | null>(null);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (services === null) {
    throw new Error("a component of BestChat stands outside of its panel");
  }
  return services;
}

export function useTrans(): TranslationBundle {
  return useServices().trans;
}
