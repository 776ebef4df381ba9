/** `ChatPanel` on a page: what anywidget loads. It carries everything with it, and goes nowhere. */

import { createRoot } from "react-dom/client";

import { Client } from "../api/client.js";
import { Catalog } from "../conversation/catalog.js";
import { ConversationManager } from "../conversation/manager.js";
import type { Memory } from "../conversation/memory.js";
import type { Services } from "../ui/services.js";
import { ChatView } from "./ChatView.js";
import { CommDoor } from "./comm.js";
import type { WidgetModel } from "./model.js";
import { ProseRenderer } from "./prose.js";

interface Given {
  model: WidgetModel;
  el: HTMLElement;
}

function render({ model, el }: Given): () => void {
  const door = new CommDoor(model);
  const client = new Client(door.connection);
  const memory = new PageMemory();
  const manager = new ConversationManager(client, door.connection, memory);
  const services = servicesOf(manager, new Catalog(client), memory);

  const host = document.createElement("div");
  host.className = "jp-BestChat jp-BestChat-widget";
  host.classList.toggle("jp-mod-themeless", !hasTheme());
  host.style.height = `${String(model.get("height"))}px`;
  // What is typed here is no command of the notebook's.
  host.dataset["lmSuppressShortcuts"] = "true";
  host.addEventListener("keydown", (event) => {
    event.stopPropagation();
  });
  el.append(host);

  const shown = (): void => {
    show(model, manager);
  };
  const chosen = (): void => {
    manager.chooseModel(model.get("model") || null);
  };
  model.on("change:conversation", shown);
  model.on("change:model", chosen);
  manager.changed.connect((_, { model: ref }) => {
    if ((ref ?? "") !== model.get("model")) {
      model.set("model", ref ?? "");
      model.save_changes();
    }
  });
  chosen();
  shown();
  void services.catalog.refresh(true);

  const root = createRoot(host);
  root.render(<ChatView services={services} door={door} />);
  return () => {
    root.unmount();
    model.off("change:conversation", shown);
    model.off("change:model", chosen);
    manager.close();
    door.dispose();
  };
}

/** Show the conversation that Python says; until the kernel tells of it, as it was stored. */
function show(model: WidgetModel, manager: ConversationManager): void {
  const id = model.get("conversation");
  if (id === "") {
    manager.close();
    return;
  }
  const opened = manager.open(id);
  const stored = model.get("transcript");
  if (opened.view.state === null && stored !== null && stored.conversation.id === id) {
    opened.take({ type: "snapshot", conversation_id: id, state: stored });
  }
}

function servicesOf(
  manager: ConversationManager,
  catalog: Catalog,
  memory: Memory,
): Services {
  // Named one by one, so that a service that is new is thought of here as well.
  const needed: Record<keyof Services, unknown> = {
    manager,
    catalog,
    memory,
    uploads: null,
    tour: null,
    files: null, // the comm carries calls, and no bytes
    rendermime: { createRenderer: () => new ProseRenderer() },
    // Code is shown as it is: colours would take more than all the rest.
    languages: { findBest: () => null },
    codeActions: { actions: [], add: () => undefined },
    contextSources: { sources: [], add: () => undefined },
    mentionSources: { sources: [], add: () => undefined },
    slashCommands: { commands: [], add: () => undefined },
    trans: { __: filled },
  };
  return needed as Services; // as much of each as the components here use
}

/** A text with its gaps filled, as JupyterLab's translators do it. */
function filled(text: string, ...values: (string | number)[]): string {
  return text.replace(/%(\d)/g, (gap, number: string) => String(values[Number(number) - 1] ?? gap));
}

/** Whether the page has JupyterLab's colours. */
function hasTheme(): boolean {
  return getComputedStyle(document.body).getPropertyValue("--jp-layout-color1") !== "";
}

/** What is remembered as long as the page is there. */
class PageMemory implements Memory {
  readonly #kept = new Map<string, string>();

  get(name: string): string {
    return this.#kept.get(name) ?? "";
  }

  set(name: string, value: string): void {
    this.#kept.set(name, value);
  }
}

export default { render };
