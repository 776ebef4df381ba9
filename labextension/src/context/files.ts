/** Files in the server's folder: `@file:data/sales.csv`. */

import type { Contents } from "@jupyterlab/services";
import type { TranslationBundle } from "@jupyterlab/translation";

import type { Mentioned, MentionOptions, MentionSource } from "../tokens.js";
import { shortened } from "./cells.js";

const KIND = "file:";
/** Characters of a file that go along; as `%%chat --attach` does it. */
const MOST = 50_000;
/** Bytes of a file that is read at all: the browser gets it whole. */
const LARGEST = 4_000_000;
/** Names that are listed to choose from. */
const MOST_NAMES = 50;

export class FileMentions implements MentionSource {
  readonly #contents: Contents.IManager;
  readonly #trans: TranslationBundle;

  constructor(contents: Contents.IManager, trans: TranslationBundle) {
    this.#contents = contents;
    this.#trans = trans;
  }

  knows(name: string): boolean {
    return name.startsWith(KIND);
  }

  async complete(begun: string): Promise<MentionOptions> {
    if (!begun.startsWith(KIND)) {
      const itself = { name: KIND, detail: this.#trans.__("a file in the server's folder"), open: true };
      return { options: KIND.startsWith(begun) ? [itself] : [] };
    }
    const path = begun.slice(KIND.length);
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    try {
      const listed = await this.#contents.get(folder.replace(/\/$/, ""), { content: true });
      const items = (listed.content as Contents.IModel[])
        .filter(({ name }) => `${folder}${name}`.toLowerCase().startsWith(path.toLowerCase()))
        .filter(({ name }) => !name.startsWith(".") || path.slice(folder.length).startsWith("."))
        .toSorted((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name))
        .slice(0, MOST_NAMES);
      return {
        options: items.map(({ name, type }) => {
          const open = type === "directory";
          const detail = open ? this.#trans.__("folder") : "";
          return { name: `${KIND}${folder}${name}${open ? "/" : ""}`, detail, open };
        }),
      };
    } catch {
      return { options: [], note: this.#trans.__("There is no such folder.") };
    }
  }

  async resolve(name: string): Promise<Mentioned> {
    const path = name.slice(KIND.length);
    try {
      const { size, type } = await this.#contents.get(path, { content: false });
      if (type === "directory") {
        return { why: this.#trans.__("It is a folder.") };
      }
      if ((size ?? 0) > LARGEST) {
        return { why: this.#trans.__("It is too large to be read here: attach it with the clip.") };
      }
      const content = await this.#text(path, type);
      return { attachment: { kind: "file", name: path, content: shortened(content, MOST) } };
    } catch (error) {
      const status = (error as { response?: Response }).response?.status;
      return {
        why:
          status === 404
            ? this.#trans.__("There is no such file in the server's folder.")
            : this.#trans.__("It is no text: attach it with the clip."),
      };
    }
  }

  async #text(path: string, type: string): Promise<string> {
    if (type === "notebook") {
      const notebook = await this.#contents.get(path, { content: true });
      return textOfNotebook(notebook.content as Notebook);
    }
    const file = await this.#contents.get(path, { content: true, type: "file", format: "text" });
    return String(file.content);
  }
}

/** Folders first. */
function rank({ type }: Contents.IModel): number {
  return type === "directory" ? 0 : 1;
}

interface Notebook {
  cells?: { cell_type?: string; source?: string | string[] }[];
}

function textOfNotebook({ cells = [] }: Notebook): string {
  return cells
    .map(({ cell_type: kind = "raw", source = "" }, index) => {
      const text = typeof source === "string" ? source : source.join("");
      return `# cell ${String(index + 1)} (${kind})\n${text}`;
    })
    .join("\n\n");
}
