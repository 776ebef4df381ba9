/**
 * What models say, made safe to show: the last thing that happens before it becomes part of the page.
 *
 * JupyterLab's sanitiser keeps scripts out. What it lets pass can still load pictures from anywhere
 * (their address carries away whatever the model knows), cover the page with a class of JupyterLab's
 * own, take ids that the page needs, or run commands. So behind it only the vocabulary of Markdown is
 * left, without looks of its own.
 */

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";

const TAGS = new Set(
  (
    "a abbr b blockquote br code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr " +
    "i img input ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td " +
    "tfoot th thead tr u ul var"
  ).split(" "),
);

const ATTRIBUTES: Readonly<Partial<Record<string, readonly string[]>>> = {
  a: ["href", "title"],
  abbr: ["title"],
  img: ["src", "alt", "title", "width", "height"],
  input: ["type", "checked", "disabled"],
  ol: ["start"],
  td: ["align", "colspan", "rowspan"],
  th: ["align", "colspan", "rowspan"],
};

/** Classes that JupyterLab's own Markdown renderer sets for colours and for diagrams. */
const CLASS = /^(?:ͼ\w+|cm-[\w-]+|language-[\w+#.-]+|mermaid|jp-RenderedMermaid(?:-Details)?|jp-mod-warning)$/;
const IMAGE = /^data:image\/(?:png|jpeg|gif|webp|avif|svg\+xml)[;,]/i;
const LINK = /^(?:https?:|mailto:)/i;

export class ModelOutputSanitizer implements IRenderMime.ISanitizer {
  readonly allowNamedProperties = false;
  readonly #inner: IRenderMime.ISanitizer;

  constructor(inner: IRenderMime.ISanitizer) {
    this.#inner = inner;
  }

  sanitize(dirty: string, options?: IRenderMime.ISanitizerOptions): string {
    return onlyMarkdown(this.#inner.sanitize(dirty, options));
  }

  getAutolink(): boolean {
    return this.#inner.getAutolink?.() ?? true;
  }
}

/** HTML with nothing in it but what Markdown can say. */
export function onlyMarkdown(html: string): string {
  // A document that is not shown: nothing in it runs, and nothing is loaded.
  const { body } = new DOMParser().parseFromString(html, "text/html");
  for (const element of Array.from(body.querySelectorAll("*"))) {
    clean(element);
  }
  return body.innerHTML;
}

function clean(element: Element): void {
  const tag = element.localName;
  if (!TAGS.has(tag) || element.namespaceURI !== "http://www.w3.org/1999/xhtml") {
    element.replaceWith(...Array.from(element.childNodes));
    return;
  }
  const classes = Array.from(element.classList).filter((name) => CLASS.test(name));
  const allowed = ATTRIBUTES[tag] ?? [];
  for (const { name } of Array.from(element.attributes)) {
    if (!allowed.includes(name)) {
      element.removeAttribute(name);
    }
  }
  if (classes.length > 0) {
    element.className = classes.join(" ");
  }
  if (tag === "a") {
    cleanLink(element);
  } else if (tag === "img") {
    cleanImage(element);
  } else if (tag === "input") {
    cleanInput(element);
  }
}

/** A link goes to another page of the web, in a tab of its own; into this server none goes. */
function cleanLink(link: Element): void {
  if (!LINK.test(link.getAttribute("href") ?? "")) {
    link.removeAttribute("href");
    return;
  }
  link.setAttribute("target", "_blank");
  link.setAttribute("rel", "noopener noreferrer nofollow");
}

/** A picture that is not in the text itself becomes a link that waits to be clicked. */
function cleanImage(image: Element): void {
  const source = image.getAttribute("src") ?? "";
  if (IMAGE.test(source)) {
    return;
  }
  const link = image.ownerDocument.createElement("a");
  link.setAttribute("href", source);
  link.textContent = `${image.getAttribute("alt") ?? ""} (${hostOf(source)})`.trim();
  cleanLink(link);
  image.replaceWith(link);
}

function hostOf(address: string): string {
  try {
    return new URL(address).host;
  } catch {
    return "image";
  }
}

/** Only the boxes of task lists, which nobody can tick. */
function cleanInput(input: Element): void {
  if (input.getAttribute("type") !== "checkbox") {
    input.remove();
  } else {
    input.setAttribute("disabled", "");
  }
}
