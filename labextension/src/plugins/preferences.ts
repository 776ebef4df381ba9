/** What is set for new conversations, kept in JupyterLab's own settings. */

import type { ISettingRegistry } from "@jupyterlab/settingregistry";

import type { ConversationSettings, Preferences } from "../conversation/preferences.js";

const PLUGIN = "bestchat:chat";

export class LabPreferences implements Preferences {
  readonly #registry: ISettingRegistry;
  #settings: ConversationSettings = {};

  constructor(registry: ISettingRegistry) {
    this.#registry = registry;
    void registry.load(PLUGIN).then((loaded) => {
      const read = (): void => {
        this.#settings = fromComposite(loaded.composite);
      };
      loaded.changed.connect(read);
      read();
    });
  }

  get settings(): ConversationSettings {
    return this.#settings;
  }

  async save(settings: ConversationSettings): Promise<void> {
    const { model, fallback_models, system_prompt, max_cost } = settings;
    const values = {
      model: model ?? "",
      fallbackModels: [...(fallback_models ?? [])],
      systemPrompt: system_prompt ?? "",
      maxCost: max_cost ?? "",
    };
    for (const [name, value] of Object.entries(values)) {
      await this.#registry.set(PLUGIN, name, value);
    }
  }
}

/** JupyterLab has checked the values against our schema. */
function fromComposite(composite: ISettingRegistry.ISettings["composite"]): ConversationSettings {
  const { model, fallbackModels, systemPrompt, maxCost } = composite as {
    model: string;
    fallbackModels: string[];
    systemPrompt: string;
    maxCost: string;
  };
  return {
    model: model === "" ? null : model,
    fallback_models: fallbackModels.length === 0 ? null : fallbackModels,
    system_prompt: systemPrompt,
    max_cost: maxCost === "" ? null : maxCost,
  };
}
