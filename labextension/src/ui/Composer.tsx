/** Where one writes: the text, who is to answer it, and the way to send it. */

import type { TranslationBundle } from "@jupyterlab/translation";
import { useEffect, useRef, useState } from "react";

import { compose, type Attachment } from "../conversation/attachments.js";
import { NEW } from "../conversation/drafts.js";
import { mentionsIn } from "../conversation/mentions.js";
import type { ConversationModel } from "../conversation/model.js";
import { activeTurn, type Turn } from "../conversation/state.js";
import { AttachButton } from "./AttachButton.js";
import { CompletionList, optionId } from "./CompletionList.js";
import { ContextChips } from "./ContextChips.js";
import { GrowingTextarea } from "./GrowingTextarea.js";
import { IconButton } from "./IconButton.js";
import { sendIcon, stopIcon } from "./icons.js";
import { MentionChips } from "./MentionChips.js";
import { ModelPicker } from "./ModelPicker.js";
import { useServices } from "./services.js";
import { UploadChips } from "./UploadChips.js";
import { useCompletion } from "./useCompletion.js";
import { useContextItems } from "./useContextItems.js";
import { useDraftText } from "./useDraftText.js";
import { useFileDrop } from "./useFileDrop.js";
import { attachmentOf, useMentions, type Mention } from "./useMentions.js";
import { usePromptHistory } from "./usePromptHistory.js";
import { useView, type Viewed } from "./useSignal.js";
import { useSlashCommand } from "./useSlashCommand.js";
import { useUploads } from "./useUploads.js";
import { WillBeSent } from "./WillBeSent.js";

/** Shows texts that come from elsewhere, such as a cell's button. */
export interface Inbox extends Viewed<{ text: string; number: number }> {
  take(): { text: string; along: readonly string[] };
}

interface Props {
  model: ConversationModel | null;
  inbox: Inbox;
}

export function Composer({ model, inbox }: Props) {
  const { manager, catalog, trans } = useServices();
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useDraftText(model?.id ?? NEW);
  const history = usePromptHistory();
  const turn = useActiveTurn(model);
  const context = useContextItems();
  const files = useUploads(model);
  const drop = useFileDrop(files.add);
  const runCommand = useSlashCommand();
  const completion = useCompletion(area, setText, (whole) => void send(whole));
  const [looking, setLooking] = useState(false);
  const shown = useRef<readonly Attachment[]>([]);
  const [sending, setSending] = useState<readonly string[]>([]);
  const unfinished = completion.writing?.kind === "mention" ? completion.writing.begun : null;
  const mentions = useMentions(text, unfinished);

  const arrived = useView(inbox);
  const found = attachmentsOf(mentions.mentions, trans);
  const unknown = mentionsIn(text).filter((name) => !isKnown(name, mentions.mentions));
  const attached = files.uploads.filter(({ taken }) => !taken);
  const { take } = context;
  useEffect(() => {
    const given = inbox.take();
    if (given.text !== "") {
      setText(given.text);
    }
    take(given.along);
    if (!catalog.view.choosing) {
      area.current?.focus();
    }
  }, [arrived, inbox, catalog, setText, take]);

  const send = async (whole = text): Promise<void> => {
    completion.close();
    if (runCommand(whole)) {
      setText("");
      return;
    }
    const written = whole.trim();
    const said = written === "" && attached.length > 0 ? trans.__("Look at this.") : written;
    if (said === "") {
      return;
    }
    // From here on it is not the composer's any more: the next message may be written, and another
    // conversation be opened, while what goes along is still on its way.
    let here = model?.id ?? NEW;
    const [looked, taken, seen] = [context.spend(), files.take(), shown.current];
    shown.current = [];
    setText("");
    history.add(said);
    area.current?.focus();
    setSending((before) => [...before, said]);
    const sent = await manager.send(async (conversationId) => {
      here = conversationId;
      const mentioned = await mentions.attachments(said);
      const along = distinct([...looked.attachments, ...mentioned, ...seen]);
      return { text: compose(said, along), files: await taken.ready() };
    });
    setSending((before) => without(before, said));
    taken.done(sent);
    if (!sent) {
      manager.drafts.giveBack(here, said);
      if ((manager.view.current?.id ?? NEW) === here) {
        take(looked.kinds);
      }
    }
  };

  const stop = (running: Turn): void => {
    area.current?.focus(); // the button goes away
    void manager.stop(running.id);
  };

  const key = (pressed: string, element: HTMLTextAreaElement): boolean => {
    if (completion.key(pressed)) {
      return true;
    }
    if (pressed === "Escape") {
      if (completion.writing !== null) {
        completion.close(); // its list is still on the way
      } else if (turn !== null && turn.cancelling !== true) {
        stop(turn);
      }
      return true;
    }
    const edge = element.selectionStart === 0 && element.selectionEnd === 0;
    const older = pressed === "ArrowUp" && edge;
    const newer = pressed === "ArrowDown" && history.walking;
    const found = older ? history.older(text) : newer ? history.newer() : null;
    if (found !== null) {
      setText(found);
    }
    return found !== null;
  };

  const empty = text.trim() === "" && attached.length === 0;

  return (
    <div
      className={`jp-BestChat-composer ${drop.over ? "jp-mod-dropTarget" : ""}`}
      {...drop.handlers}
    >
      {sending.map((said, index) => (
        <div key={index} className="jp-BestChat-sending" role="status">
          {trans.__("Sending: %1", said)}
        </div>
      ))}
      <ContextChips
        items={context.items}
        goesAlong={context.goesAlong}
        onToggle={context.toggle}
      />
      <MentionChips mentions={mentions.mentions} />
      {(context.items.some(context.goesAlong) || found.length > 0) && (
        <WillBeSent
          read={() => (shown.current = distinct([...context.attachments(), ...found]))}
          unknown={unknown}
          open={looking}
          onOpen={(open) => {
            setLooking(open);
            shown.current = []; // closed: what goes is what there is when it goes
          }}
        />
      )}
      <UploadChips uploads={files.uploads} onRemove={files.remove} />
      {completion.offered !== null && (
        <CompletionList
          id={completion.listId}
          offered={completion.offered}
          active={completion.active}
          onChoose={completion.choose}
        />
      )}
      <GrowingTextarea
        ref={area}
        label={trans.__("Message")}
        placeholder={trans.__("Ask anything. @ mentions, / commands")}
        value={text}
        listId={completion.offered === null ? undefined : completion.listId}
        activeOptionId={
          completion.offered === null ? undefined : optionId(completion.listId, completion.active)
        }
        onChange={(value, caret) => {
          history.leave();
          setText(value);
          completion.typed(value, caret);
        }}
        onBlur={completion.close}
        onEnter={() => void send()}
        onKey={key}
        onPaste={(event) => {
          const { files: held, types } = event.clipboardData;
          const pasted = Array.from(held);
          // Spreadsheets put a picture of their cells beside the text of them.
          if (pasted.length > 0 && !types.includes("text/plain")) {
            event.preventDefault();
            files.add(pasted);
          }
        }}
      />
      <div className="jp-BestChat-composerBar">
        <ModelPicker onChosen={() => area.current?.focus()} />
        <span className="jp-BestChat-spacer" />
        <AttachButton onFiles={files.add} />
        {turn !== null && (
          <IconButton
            className="jp-BestChat-stop"
            icon={stopIcon}
            label={turn.cancelling === true ? trans.__("Stopping…") : trans.__("Stop")}
            disabled={turn.cancelling === true}
            onClick={() => {
              stop(turn);
            }}
          />
        )}
        {(turn === null || !empty) && (
          <IconButton
            className="jp-BestChat-send"
            icon={sendIcon}
            label={turn === null ? trans.__("Send") : trans.__("Send after this answer")}
            disabled={empty}
            onClick={() => void send()}
          />
        )}
      </div>
    </div>
  );
}

/** Each thing once, however often it is meant: as it is given last. */
function distinct(attachments: readonly Attachment[]): Attachment[] {
  return [...new Map(attachments.map((each) => [`${each.kind} ${each.name}`, each])).values()];
}

/** What goes along for what is mentioned, as far as that is known. */
function attachmentsOf(mentions: readonly Mention[], trans: TranslationBundle): Attachment[] {
  return mentions.flatMap(({ name, mentioned }) => {
    const attachment = mentioned === null ? null : attachmentOf(name, mentioned, trans);
    return attachment === null ? [] : [attachment];
  });
}

function isKnown(name: string, mentions: readonly Mention[]): boolean {
  return mentions.some((mention) => mention.name === name && mention.mentioned !== null);
}

/** All but one of what is equal to this. */
function without(texts: readonly string[], text: string): readonly string[] {
  const at = texts.indexOf(text);
  return texts.filter((_, index) => index !== at);
}

/** The turn that keeps the open conversation busy. */
function useActiveTurn(model: ConversationModel | null): Turn | null {
  const [turn, setTurn] = useState<Turn | null>(null);
  useEffect(() => {
    const look = (): void => {
      const state = model?.view.state;
      setTurn(state == null ? null : activeTurn(state));
    };
    look();
    model?.changed.connect(look);
    return () => {
      model?.changed.disconnect(look);
    };
  }, [model]);
  return turn;
}
