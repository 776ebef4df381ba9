import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Panel, Widget } from "@lumino/widgets";

/** An error as JupyterLab shows it, and a button below it. */
export class FixableError extends Panel implements IRenderMime.IRenderer {
  readonly #error: IRenderMime.IRenderer;

  constructor(error: IRenderMime.IRenderer, label: string, fix: (place: Node) => void) {
    super();
    this.#error = error;
    this.addWidget(error);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "jp-BestChat-fix";
    button.textContent = label;
    button.addEventListener("click", () => {
      fix(this.node);
    });
    const bar = new Widget();
    bar.addClass("jp-BestChat-fixBar");
    bar.node.append(button);
    this.addWidget(bar);
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    return this.#error.renderModel(model);
  }
}
