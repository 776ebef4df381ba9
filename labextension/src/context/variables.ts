/** Variables of the notebook's kernel: `@df`. */

import type { INotebookTracker } from "@jupyterlab/notebook";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";

import type { Mentioned, MentionOptions, MentionSource } from "../tokens.js";

/** Milliseconds that a kernel has to answer. */
const PATIENCE = 2000;
/** Milliseconds for which names are not asked for again. */
const FRESH = 3000;
/** Characters of a value where the kernel has nobody who can summarise it. */
const MOST = 2000;

const NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;
const OURS = '__import__("bestchat_kernel.inventory", fromlist=["names"])';
const PLAIN_NAMES = `[[name, type(value).__name__] for name, value in list(globals().items())
  if not name.startswith("_") and not callable(value) and type(value).__name__ != "module"
  and name not in ("In", "Out")]`.replaceAll(/\s*\n\s*/g, " ");

type Names = readonly (readonly [name: string, type: string])[];

interface Described {
  summary?: string;
  near?: readonly string[];
}

class KernelBusy extends Error {}

export class KernelVariables implements MentionSource {
  readonly #tracker: INotebookTracker;
  readonly #trans: TranslationBundle;
  #names: { readonly at: number; readonly of: string; readonly known: Promise<Names> } | null = null;

  constructor(tracker: INotebookTracker, trans: TranslationBundle) {
    this.#tracker = tracker;
    this.#trans = trans;
  }

  knows(name: string): boolean {
    return NAME.test(name);
  }

  async complete(begun: string): Promise<MentionOptions> {
    const kernel = this.#kernel();
    if (kernel === null || begun.includes(":")) {
      return { options: [] };
    }
    try {
      const names = await this.#known(kernel);
      const fitting = names.filter(([name]) => name.toLowerCase().startsWith(begun.toLowerCase()));
      return { options: fitting.map(([name, type]) => ({ name, detail: type })).reverse() };
    } catch (error) {
      this.#names = null;
      return error instanceof KernelBusy
        ? { options: [], note: this.#trans.__("The kernel is busy: its variables cannot be listed.") }
        : { options: [] };
    }
  }

  async resolve(name: string): Promise<Mentioned> {
    const kernel = this.#kernel();
    if (kernel === null) {
      return { why: this.#trans.__("No notebook with a running kernel is open.") };
    }
    try {
      const told = await describe(kernel, name);
      if (told.summary !== undefined) {
        return { attachment: { kind: "variable", name, content: told.summary } };
      }
      const near = (told.near ?? []).map((other) => `@${other}`).join(", ");
      return {
        why:
          near === ""
            ? this.#trans.__("The notebook has no such variable.")
            : this.#trans.__("The notebook has no such variable. Near: %1", near),
      };
    } catch (error) {
      return error instanceof KernelBusy
        ? { why: this.#trans.__("kernel busy"), busy: true }
        : { why: this.#trans.__("The kernel could not say what it is.") };
    }
  }

  /** The kernel of the notebook that was looked at last, if it speaks Python. */
  #kernel(): Kernel.IKernelConnection | null {
    const context = this.#tracker.currentWidget?.sessionContext;
    const kernel = context?.session?.kernel ?? null;
    const language = this.#tracker.currentWidget?.content.model?.defaultKernelLanguage;
    return language === "python" || language === "" ? kernel : null;
  }

  #known(kernel: Kernel.IKernelConnection): Promise<Names> {
    const now = performance.now();
    const before = this.#names;
    if (before !== null && before.of === kernel.id && now - before.at < FRESH) {
      return before.known;
    }
    const known = listed(kernel);
    this.#names = { at: now, of: kernel.id, known };
    return known;
  }
}

async function listed(kernel: Kernel.IKernelConnection): Promise<Names> {
  const ours = await evaluate(kernel, `${OURS}.names()`);
  if (ours !== null) {
    return ours["application/json"] as Names;
  }
  const plain = await evaluate(kernel, `__import__("json").dumps(${PLAIN_NAMES})`);
  return plain === null ? [] : (JSON.parse(unquoted(plain["text/plain"])) as Names);
}

async function describe(kernel: Kernel.IKernelConnection, name: string): Promise<Described> {
  const ours = await evaluate(kernel, `${OURS}.described(${JSON.stringify(name)})`);
  if (ours !== null) {
    return ours["application/json"] as Described;
  }
  // A kernel whose environment has no BestChat shows the value as a cell would. Its name comes
  // first: by that, secrets are known when a message is composed.
  const plain = await evaluate(kernel, name);
  return plain === null ? {} : { summary: `${name} = ${String(plain["text/plain"]).slice(0, MOST)}` };
}

/** Python's spelling of a JSON text, taken back: it quotes, and escapes what it has quoted. */
function unquoted(text: unknown): string {
  return String(text)
    .slice(1, -1)
    .replaceAll(/\\(['\\])/g, "$1");
}

/**
 * What an expression gives; none if it raises.
 *
 * @throws KernelBusy nobody answers in time.
 */
async function evaluate(
  kernel: Kernel.IKernelConnection,
  expression: string,
): Promise<Record<string, unknown> | null> {
  const future = kernel.requestExecute(
    {
      code: "",
      silent: true,
      store_history: false,
      allow_stdin: false,
      stop_on_error: false,
      user_expressions: { told: expression },
    },
    true,
  );
  const reply = await Promise.race([future.done, late()]);
  if (reply === null) {
    future.dispose(); // whatever it says later, nobody listens
    throw new KernelBusy();
  }
  return toldIn(reply);
}

function toldIn({ content }: KernelMessage.IExecuteReplyMsg): Record<string, unknown> | null {
  const expressions = content.status === "ok" ? content.user_expressions : {};
  const told = expressions["told"] as { status?: string; data?: Record<string, unknown> } | undefined;
  return told?.status === "ok" ? (told.data ?? null) : null;
}

function late(): Promise<null> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve(null);
    }, PATIENCE);
  });
}
