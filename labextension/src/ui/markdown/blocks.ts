/**
 * Cuts Markdown into blocks that can be rendered one by one, so that of an answer that grows only the
 * last one has to be rendered again. Pure.
 */

export interface Block {
  kind: "prose" | "code";
  /** Prose as it stands; code without its fences. */
  text: string;
  /** What the fence says is in it. */
  language: string;
  /** Whether the fence is closed; prose is always complete as it stands. */
  closed: boolean;
}

const FENCE = /^(`{3,}(?=[^`]*$)|~{3,})\s*([^\s`{]*)/;
const LIST_ITEM = /^ {0,3}(?:[-+*]|\d{1,9}[.)])(?:\s|$)/;
const DEFINITION = /^ {0,3}\[([^\]\n]+)\]:\s*\S.{0,2000}$/gm;
const LABEL = /\[([^[\]]+)\]/g;
/** No more than three marks, so that a long run of them is gone through once. */
const FENCED_DIAGRAM = /((?:`{3}|~{3})[^\S\n]*)(?=mermaid)/gi;
/** Characters of definitions that are put behind the blocks of a text, all together. */
const MOST_DEFINITIONS = 200_000;

/**
 * The blocks of a text, in order. Links that are defined anywhere are known where they are used.
 * Prose holds no diagram: one in a list or a quotation stays text.
 */
export function splitBlocks(source: string): Block[] {
  const splitter = new Splitter();
  for (const line of source.split(/\r\n?|\n/)) {
    splitter.take(line);
  }
  const blocks = splitter.end();
  const definitions = definitionsIn(source);
  let left = MOST_DEFINITIONS;
  for (const block of blocks) {
    if (block.kind === "prose") {
      const behind = used(definitions, block.text);
      left -= behind.length;
      block.text = block.text.replaceAll(FENCED_DIAGRAM, "$1\u200b") + (left < 0 ? "" : behind);
    }
  }
  return blocks;
}

/** What links lead to, by their labels; the first one counts. */
function definitionsIn(source: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [line, label = ""] of source.matchAll(DEFINITION)) {
    const key = folded(label);
    if (!found.has(key)) {
      found.set(key, line);
    }
  }
  return found;
}

/** The definitions of the links in a text, to be put behind it. */
function used(definitions: ReadonlyMap<string, string>, text: string): string {
  if (definitions.size === 0) {
    return "";
  }
  const labels = new Set(Array.from(text.matchAll(LABEL), ([, label = ""]) => folded(label)));
  const lines = Array.from(labels, (label) => definitions.get(label)).filter(Boolean);
  return lines.length === 0 ? "" : `\n\n${lines.join("\n")}`;
}

/** Labels are the same whatever their case and the white space in them. */
function folded(label: string): string {
  return label.trim().replaceAll(/\s+/g, " ").toLowerCase();
}

class Splitter {
  readonly #blocks: Block[] = [];
  #lines: string[] = [];
  #fence: { marks: string; language: string } | null = null;
  #math = false;
  #list = false;

  take(line: string): void {
    if (this.#fence !== null) {
      this.#takeCode(line, this.#fence);
      return;
    }
    const fence = FENCE.exec(line);
    if (fence !== null && !this.#math) {
      this.#endProse();
      this.#fence = { marks: fence[1] ?? "", language: fence[2] ?? "" };
      return;
    }
    if (this.#endsBefore(line)) {
      this.#endProse();
    }
    this.#list = this.#list || LIST_ITEM.test(line);
    if ((line.match(/\$\$/g)?.length ?? 0) % 2 === 1) {
      this.#math = !this.#math;
    }
    this.#lines.push(line);
  }

  end(): Block[] {
    if (this.#fence === null) {
      this.#endProse();
    } else {
      this.#endCode(this.#fence.language, false);
    }
    return this.#blocks;
  }

  #takeCode(line: string, fence: { marks: string; language: string }): void {
    const inner = line.trim();
    const mark = fence.marks[0] ?? "`";
    if (inner.length >= fence.marks.length && inner === mark.repeat(inner.length)) {
      this.#endCode(fence.language, true);
      this.#fence = null;
    } else {
      this.#lines.push(line);
    }
  }

  /** After an empty line something new begins, unless it belongs to the list before it. */
  #endsBefore(line: string): boolean {
    if (this.#math || this.#lines.at(-1)?.trim() !== "" || line.trim() === "") {
      return false;
    }
    return !(this.#list && (LIST_ITEM.test(line) || /^\s/.test(line)));
  }

  #endProse(): void {
    const text = this.#lines.join("\n").trimEnd();
    if (text !== "") {
      this.#blocks.push({ kind: "prose", text, language: "", closed: true });
    }
    this.#lines = [];
    this.#list = this.#math = false;
  }

  #endCode(language: string, closed: boolean): void {
    this.#blocks.push({ kind: "code", text: this.#lines.join("\n"), language, closed });
    this.#lines = [];
  }
}
