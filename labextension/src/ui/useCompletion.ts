import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState, type RefObject } from "react";

import { triggerAt, written, type Trigger } from "../conversation/mentions.js";
import type { ISlashCommands, MentionSource } from "../tokens.js";
import { useServices } from "./services.js";

/** Rows that are shown at once. */
const MOST = 60;
/** Milliseconds in which nobody types before those are asked who may have to ask others. */
const PAUSE = 80;

export interface Option {
  /** What is chosen, as it is shown. */
  readonly label: string;
  readonly detail: string;
  /** What is written in place of what was begun. */
  readonly text: string;
  /** Whether choosing it leaves something to choose: a folder, a command's argument. */
  readonly open: boolean;
}

export interface Offered {
  readonly trigger: Trigger;
  readonly options: readonly Option[];
  /** Why there are not more. */
  readonly notes: readonly string[];
}

interface Completion {
  /** What is offered; none while nothing is. */
  readonly offered: Offered | null;
  readonly active: number;
  readonly listId: string;
  /** Where something is being written: it is not finished yet. */
  readonly writing: Trigger | null;
  typed: (text: string, caret: number) => void;
  /** A key was pressed; true says that it was used. */
  key: (pressed: string) => boolean;
  choose: (option: Option) => void;
  close: () => void;
}

/** What may be completed where one writes: mentions and commands. */
export function useCompletion(
  area: RefObject<HTMLTextAreaElement>,
  setText: (text: string) => void,
  onRun: (text: string) => void,
): Completion {
  const { slashCommands, mentionSources } = useServices();
  const [trigger, setTrigger] = useState<Trigger | null>(null);
  const [offered, setOffered] = useState<Offered | null>(null);
  const [active, setActive] = useState(0);
  const caret = useRef<number | null>(null);
  const listId = useId();

  // The cursor goes where it belongs as soon as the field has the new text.
  useLayoutEffect(() => {
    if (caret.current !== null) {
      area.current?.setSelectionRange(caret.current, caret.current);
      caret.current = null;
    }
  });

  useEffect(() => {
    setActive(0);
    if (trigger === null) {
      setOffered(null);
      return undefined;
    }
    if (trigger.kind !== "mention") {
      setOffered({ trigger, options: commandOptions(slashCommands, trigger), notes: [] });
      return undefined;
    }
    let gone = false;
    const timer = setTimeout(() => {
      void offer(mentionSources.sources, trigger, (found) => {
        if (!gone) {
          setOffered(found);
        }
      });
    }, PAUSE);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [trigger, slashCommands, mentionSources]);

  const close = useCallback((): void => {
    setTrigger(null);
  }, []);

  const write = (option: Option): string => {
    const element = area.current;
    if (element === null || trigger === null) {
      return "";
    }
    const { value } = element;
    const text = value.slice(0, trigger.start) + option.text + value.slice(trigger.end);
    caret.current = trigger.start + option.text.length;
    setText(text);
    setTrigger(option.open ? triggerAt(text, caret.current) : null);
    return text;
  };

  const shown = offered?.trigger === trigger ? offered : null;
  const key = (pressed: string): boolean => {
    const options = shown?.options ?? [];
    const option = options[active];
    if (shown === null || (options.length === 0 && pressed !== "Escape")) {
      return false;
    }
    switch (pressed) {
      case "ArrowDown":
      case "ArrowUp": {
        const step = pressed === "ArrowDown" ? 1 : -1;
        setActive((active + step + options.length) % options.length);
        return true;
      }
      case "Tab":
      case "Enter":
        if (option !== undefined) {
          const text = write(option);
          if (pressed === "Enter" && trigger?.kind !== "mention" && !option.open) {
            onRun(text);
          }
        }
        return true;
      case "Escape":
        close();
        return true;
      default:
        return false;
    }
  };

  return {
    offered: shown !== null && shown.options.length + shown.notes.length > 0 ? shown : null,
    active,
    listId,
    writing: trigger,
    typed: (text, at) => {
      setTrigger(triggerAt(text, at));
    },
    key,
    choose: (option) => {
      write(option);
      area.current?.focus();
    },
    close,
  };
}

function commandOptions({ commands }: ISlashCommands, trigger: Trigger): Option[] {
  if (trigger.kind === "argument") {
    const command = commands.find(({ name }) => name === trigger.command);
    const found = command?.complete?.(trigger.begun) ?? [];
    return found
      .slice(0, MOST)
      .map(({ name, detail }) => ({ label: name, detail, text: name, open: false }));
  }
  return commands
    .filter((command) => command.name.startsWith(trigger.begun) && command.enabled?.() !== false)
    .map(({ name, detail, argument }) => ({
      label: argument === undefined ? `/${name}` : `/${name} ${argument}`,
      detail,
      text: argument === undefined ? `/${name}` : `/${name} `,
      open: argument !== undefined,
    }));
}

/** Ask all who know something; what the fast ones say is shown before the slow ones answer. */
async function offer(
  sources: readonly MentionSource[],
  trigger: Trigger,
  show: (offered: Offered) => void,
): Promise<void> {
  const options: Option[][] = sources.map(() => []);
  const notes: string[] = [];
  await Promise.all(
    sources.map(async (source, at) => {
      const found = await source.complete(trigger.begun);
      options[at] = found.options.map(({ name, detail, open = false }) => ({
        label: `@${name}`,
        detail,
        text: written(name, open),
        open,
      }));
      if (found.note !== undefined) {
        notes.push(found.note);
      }
      show({ trigger, options: options.flat().slice(0, MOST), notes: [...notes] });
    }),
  );
}
