import type { TranslationBundle } from "@jupyterlab/translation";
import { useCallback, useEffect, useMemo, useState } from "react";

import type { Attachment } from "../conversation/attachments.js";
import { mentionsIn, nameIn } from "../conversation/mentions.js";
import type { IMentionSources, Mentioned } from "../tokens.js";
import { useServices } from "./services.js";

/** Milliseconds in which nobody types before a name is looked up. */
const PAUSE = 350;

export interface Mention {
  readonly name: string;
  /** What comes of it; none as long as that is not known. */
  readonly mentioned: Mentioned | null;
}

interface Mentions {
  readonly mentions: readonly Mention[];
  /** What goes along with a text, as it is right now. */
  attachments: (text: string) => Promise<Attachment[]>;
}

/** What is mentioned in a text; `unfinished` is a name that is still being written. */
export function useMentions(text: string, unfinished: string | null): Mentions {
  const { mentionSources, trans } = useServices();
  const [known, setKnown] = useState<ReadonlyMap<string, Mentioned>>(new Map());
  const names = useMemo(
    () => {
      // An address may go on behind what looks like the end of a sentence, and is not fetched twice.
      const begun = unfinished?.startsWith("url:") === true ? nameIn(unfinished) : unfinished;
      return mentionsIn(text).filter((name) => name !== begun).join("\n");
    },
    [text, unfinished],
  );

  useEffect(() => {
    if (names === "") {
      setKnown((before) => (before.size === 0 ? before : new Map()));
      return undefined;
    }
    let gone = false;
    const look = async (name: string): Promise<void> => {
      const mentioned = await resolve(mentionSources, name, trans);
      if (!gone) {
        setKnown((before) => new Map(before).set(name, mentioned));
      }
    };
    const timer = setTimeout(() => {
      names.split("\n").forEach((name) => void look(name));
    }, PAUSE);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [names, mentionSources, trans]);

  const attachments = useCallback(
    async (said: string): Promise<Attachment[]> => {
      const found = await Promise.all(
        mentionsIn(said).map(async (name) =>
          attachmentOf(name, await resolve(mentionSources, name, trans), trans),
        ),
      );
      return found.filter((each) => each !== null);
    },
    [mentionSources, trans],
  );

  return useMemo(
    () => ({
      mentions: names
        .split("\n")
        .filter(Boolean)
        .map((name) => ({ name, mentioned: known.get(name) ?? null })),
      attachments,
    }),
    [names, known, attachments],
  );
}

/** What goes along for a mention: what it stands for, or that this is not known; none if it is only text. */
export function attachmentOf(
  name: string,
  mentioned: Mentioned,
  trans: TranslationBundle,
): Attachment | null {
  if ("attachment" in mentioned) {
    return mentioned.attachment;
  }
  // Who answers has to know that there is something which it did not get.
  if (mentioned.missing !== undefined) {
    const content = trans.__("It could not be had. %1", mentioned.why);
    return { kind: mentioned.missing, name: name.slice(name.indexOf(":") + 1), content };
  }
  const content = trans.__("The notebook's kernel was busy: the value is not known.");
  return mentioned.busy === true ? { kind: "variable", name, content } : null;
}

/** What a name stands for. Sources come from other extensions too, and may fail. */
async function resolve(
  { sources }: IMentionSources,
  name: string,
  trans: TranslationBundle,
): Promise<Mentioned> {
  try {
    const source = sources.find((each) => each.knows(name));
    return source === undefined ? { why: "?" } : await source.resolve(name);
  } catch (error) {
    console.warn("BestChat: a source of mentions failed", error);
    return { why: trans.__("The extension that knows it has failed."), missing: "mention" };
  }
}
