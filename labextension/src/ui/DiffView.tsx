import { ReactWidget } from "@jupyterlab/ui-components";

import { diffLines } from "../context/diff.js";

const MARKS = { same: " ", removed: "-", added: "+" } as const;

/** What would change, for a dialog that asks whether it may. */
export class DiffView extends ReactWidget {
  readonly #before: string;
  readonly #after: string;

  constructor(before: string, after: string) {
    super();
    this.#before = before;
    this.#after = after;
    this.addClass("jp-BestChat-diff");
  }

  protected override render() {
    return (
      <pre tabIndex={0}>
        {diffLines(this.#before, this.#after).map(({ kind, text }, index) => (
          <div key={index} className={`jp-BestChat-diffLine jp-mod-${kind}`}>
            {`${MARKS[kind]} ${text}`}
          </div>
        ))}
      </pre>
    );
  }
}
