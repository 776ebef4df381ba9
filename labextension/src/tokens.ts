/** What other extensions can ask for and add to; nothing but names and shapes. */

import { Token } from "@lumino/coreutils";
import type { LabIcon } from "@jupyterlab/ui-components";

import type { Attachment } from "./conversation/attachments.js";

export type { Attachment };

/** The chat, for whoever wants to ask something. */
export interface IBestChat {
  /** Show the panel. */
  show(): void;
  /** Show the panel and ask something, with what goes along. */
  ask(text: string, attachments?: readonly Attachment[]): Promise<void>;
  /**
   * Show the panel and put something into the composer, for the user to go on with; things of the
   * kinds in `along` that the user looks at are switched on.
   */
  compose(text: string, along?: readonly string[]): void;
}

export const IBestChat = new Token<IBestChat>(
  "bestchat:IBestChat",
  "The chat panel: show it, and ask something.",
);

/** What can be done with a block of code in an answer. */
export interface CodeAction {
  readonly id: string;
  readonly label: string;
  readonly icon: LabIcon;
  /** Whether it can be done right now; it is asked again when the pointer comes near. */
  enabled(): boolean;
  run(code: string, language: string): void | Promise<void>;
}

/** Actions on blocks of code, in the order in which they are shown. */
export interface ICodeActions {
  readonly actions: readonly CodeAction[];
  add(action: CodeAction): void;
}

export const ICodeActions = new Token<ICodeActions>(
  "bestchat:ICodeActions",
  "What can be done with a block of code in an answer.",
);

/** A piece of what the user looks at: a chip, which goes along with a message while it is switched on. */
export interface ContextItem {
  /** What kind of thing it is, for example `cell`: that it is left out is remembered by kind. */
  readonly kind: string;
  /** What it is called. */
  readonly name: string;
  /** Whether it goes along as long as the user has not decided about its kind. */
  readonly preset: boolean;
  /** What the model gets to see; read when the message is sent. */
  content(): string;
}

/** Somebody who knows what the user looks at. */
export interface ContextSource {
  /** What there is right now. */
  items(): readonly ContextItem[];
  /** Tell when that may have changed; gives what ends the telling. */
  watch(changed: () => void): () => void;
}

export interface IContextSources {
  readonly sources: readonly ContextSource[];
  add(source: ContextSource): void;
}

export const IContextSources = new Token<IContextSources>(
  "bestchat:IContextSources",
  "Who knows what the user looks at.",
);

/** One thing that can be mentioned. */
export interface MentionOption {
  /** What stands behind the `@`. */
  readonly name: string;
  /** What it is, in a few words. */
  readonly detail: string;
  /** Whether more is to be written behind it, as behind a folder. */
  readonly open?: boolean;
}

/** What there is to choose from, and perhaps why that is not all. */
export interface MentionOptions {
  readonly options: readonly MentionOption[];
  readonly note?: string;
}

/** What comes of a mention: something that goes along, or why nothing does. */
export type Mentioned =
  | { readonly attachment: Attachment }
  | {
      readonly why: string;
      readonly busy?: boolean;
      /** Its kind, if who answers has to know that it could not be had. */
      readonly missing?: string;
    };

/** Somebody who knows things of one kind that can be mentioned with `@`. */
export interface MentionSource {
  /** Whether a name is of its kind, whether or not there is such a thing. */
  knows(name: string): boolean;
  /** What there is whose name begins so. Comes back within two seconds. */
  complete(begun: string): Promise<MentionOptions>;
  /** What a name stands for right now. Comes back within two seconds, if it is not far away. */
  resolve(name: string): Promise<Mentioned>;
}

/** Sources of mentions; the first that knows a name is asked for it. */
export interface IMentionSources {
  readonly sources: readonly MentionSource[];
  add(source: MentionSource): void;
}

export const IMentionSources = new Token<IMentionSources>(
  "bestchat:IMentionSources",
  "What can be mentioned in a message.",
);

/** Something that is done when `/name` is written in place of a message. */
export interface SlashCommand {
  readonly name: string;
  readonly detail: string;
  /** What may follow the name, where something may. */
  readonly argument?: string;
  /** Whether it can be done right now. */
  enabled?(): boolean;
  /** What may follow the name and begins so. */
  complete?(begun: string): readonly { readonly name: string; readonly detail: string }[];
  run(argument: string): void | Promise<void>;
}

export interface ISlashCommands {
  readonly commands: readonly SlashCommand[];
  add(command: SlashCommand): void;
}

export const ISlashCommands = new Token<ISlashCommands>(
  "bestchat:ISlashCommands",
  "What can be done by writing a slash and a name.",
);
