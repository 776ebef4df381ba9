/** A block of Markdown, rendered by JupyterLab. */

import { MimeModel } from "@jupyterlab/rendermime";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { MessageLoop } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { memo, useEffect, useRef } from "react";

import { useServices } from "../services.js";

const MIME = "text/markdown";

/** How many times as long as rendering took, rendering then pauses: a page has other things to do. */
const REST = 4;

export const Prose = memo(function Prose({ source }: { source: string }) {
  const { rendermime } = useServices();
  const host = useRef<HTMLDivElement>(null);
  const pen = useRef<Pen | null>(null);

  useEffect(() => {
    const element = host.current;
    if (element === null) {
      return;
    }
    const made = new Pen(rendermime.createRenderer(MIME), element);
    pen.current = made;
    return () => {
      made.dispose();
    };
  }, [rendermime]);

  useEffect(() => {
    pen.current?.write(source);
  }, [rendermime, source]);

  return <div ref={host} className="jp-BestChat-prose" />;
});

/** Renders the newest of what it is given, one after another, and rests in between. */
class Pen {
  readonly #renderer: IRenderMime.IRenderer;
  readonly #watch: MutationObserver;
  #wanted: string | null = null;
  #busy = false;

  constructor(renderer: IRenderMime.IRenderer, host: HTMLElement) {
    this.#renderer = renderer;
    host.append(renderer.node);
    this.#watch = new MutationObserver(() => {
      unlinkFormulas(host);
    });
    this.#watch.observe(host, { childList: true, subtree: true });
    // It is inside of React and not of Lumino, and has to be told that it is part of the page:
    // formulas are typeset only there.
    MessageLoop.sendMessage(renderer, Widget.Msg.AfterAttach);
  }

  write(source: string): void {
    this.#wanted = source;
    if (!this.#busy) {
      void this.#work();
    }
  }

  async #work(): Promise<void> {
    this.#busy = true;
    while (this.#wanted !== null && !this.#renderer.isDisposed) {
      const data = { [MIME]: this.#wanted };
      this.#wanted = null;
      const begun = performance.now();
      await this.#renderer.renderModel(new MimeModel({ data, trusted: false }));
      const pause = (performance.now() - begun) * REST;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    this.#busy = false;
  }

  dispose(): void {
    this.#wanted = null;
    this.#watch.disconnect();
    MessageLoop.sendMessage(this.#renderer, Widget.Msg.AfterDetach); // React has done it already
    this.#renderer.dispose();
  }
}

/** Formulas are typeset behind the sanitiser, and their links may lead anywhere in this server. */
function unlinkFormulas(host: HTMLElement): void {
  for (const link of host.querySelectorAll("mjx-container a")) {
    link.removeAttribute("href");
    link.removeAttribute("xlink:href");
  }
}
