import { ReactWidget } from "@jupyterlab/ui-components";
import { Signal, type ISignal } from "@lumino/signaling";
import type { Message } from "@lumino/messaging";
import { flushSync } from "react-dom";

import { chatIcon } from "./icons.js";
import { Panel } from "./Panel.js";
import type { Services } from "./services.js";

/** Pixels that the panel has when it is first shown. */
const WIDTH = 380;

interface Given {
  text: string;
  /** Kinds of context that go along. */
  along: readonly string[];
  number: number;
}

/** Texts on their way into the composer. */
class Mailbox {
  readonly #changed = new Signal<this, Given>(this);
  #view: Given = { text: "", along: [], number: 0 };

  get view(): Given {
    return this.#view;
  }

  get changed(): ISignal<this, Given> {
    return this.#changed;
  }

  put(text: string, along: readonly string[] = []): void {
    this.#view = { text, along, number: this.#view.number + 1 };
    this.#changed.emit(this.#view);
  }

  /** What has arrived, once. */
  take(): Given {
    const given = { ...this.#view };
    this.#view.text = "";
    this.#view.along = [];
    return given;
  }
}

/** The panel as a part of JupyterLab. */
export class PanelWidget extends ReactWidget {
  readonly #services: Services;
  readonly #inbox = new Mailbox();

  constructor(services: Services) {
    super();
    this.#services = services;
    this.id = "bestchat-panel";
    this.addClass("jp-BestChat");
    this.title.icon = chatIcon;
    this.title.caption = services.trans.__("BestChat");
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", services.trans.__("BestChat"));
  }

  /**
   * Put a text into the composer, in place of what stands there, and switch on what goes along; an
   * empty text only leads there.
   */
  compose(text: string, along: readonly string[] = []): void {
    this.#inbox.put(text, along);
  }

  /**
   * Show it at once, and not when JupyterLab has nothing else to do: at its start that would be most
   * of a second later.
   */
  protected override onUpdateRequest(message: Message): void {
    flushSync(() => {
      super.onUpdateRequest(message);
    });
  }

  /** The first time, ask for more room than JupyterLab gives a side panel; then for any. */
  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.style.minWidth = `${String(WIDTH)}px`;
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    requestAnimationFrame(() => {
      this.node.style.minWidth = "";
      this.parent?.fit(); // layouts keep the widths that they have once read
    });
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    const field = this.#services.catalog.view.choosing
      ? ".jp-BestChat-menu input"
      : ".jp-BestChat-composer textarea";
    this.node.querySelector<HTMLElement>(field)?.focus();
  }

  protected override render() {
    return <Panel services={this.#services} inbox={this.#inbox} />;
  }
}
