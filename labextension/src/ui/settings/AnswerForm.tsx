import { useId, useState } from "react";

import type { ConversationSettings } from "../../conversation/preferences.js";
import { GrowingTextarea } from "../GrowingTextarea.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";

interface Props {
  title: string;
  settings: ConversationSettings;
  /** Says whether it was saved. */
  onSave: (settings: ConversationSettings) => Promise<boolean>;
}

/** What can be set for a conversation: who answers, who stands in, instructions, a limit of cost. */
export function AnswerForm({ title, settings, onSave }: Props) {
  const { catalog, trans } = useServices();
  const { models } = useView(catalog);
  const [model, setModel] = useState(settings.model ?? "");
  const [fallbacks, setFallbacks] = useState((settings.fallback_models ?? []).join(", "));
  const [prompt, setPrompt] = useState(settings.system_prompt ?? "");
  const [cost, setCost] = useState(settings.max_cost ?? "");
  const [saved, setSaved] = useState(false);
  const list = useId();
  const changing =
    (set: (text: string) => void) =>
    (text: string): void => {
      setSaved(false);
      set(text);
    };
  const save = async (): Promise<void> => {
    const named = fallbacks.split(/[\s,]+/).filter(Boolean);
    setSaved(
      await onSave({
        model: model.trim() === "" ? null : model.trim(),
        fallback_models: named.length === 0 ? null : named,
        system_prompt: prompt.trim(),
        max_cost: cost.trim() === "" ? null : cost.trim(),
      }),
    );
  };
  const field = (
    label: string,
    value: string,
    set: (text: string) => void,
    placeholder: string,
    more: { list?: string; inputMode?: "decimal" } = {},
  ) => (
    <label className="jp-BestChat-field">
      {label}
      <input
        className="jp-BestChat-input"
        value={value}
        placeholder={placeholder}
        spellCheck={false}
        {...more}
        onChange={(event) => {
          changing(set)(event.target.value);
        }}
      />
    </label>
  );
  return (
    <form
      className="jp-BestChat-card jp-BestChat-form"
      aria-label={title}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <h4>{title}</h4>
      {field(trans.__("Model"), model, setModel, trans.__("the one chosen last"), { list })}
      <datalist id={list}>
        {models?.models.map(({ ref }) => <option key={ref} value={ref} />)}
      </datalist>
      {field(trans.__("Stand-ins, if it is down"), fallbacks, setFallbacks, "provider/model, …")}
      <div className="jp-BestChat-field">
        <span aria-hidden>{trans.__("Standing instructions")}</span>
        <div className="jp-BestChat-boxed">
          <GrowingTextarea
            label={trans.__("Standing instructions")}
            placeholder={trans.__("For example: answer briefly, use polars")}
            value={prompt}
            onChange={changing(setPrompt)}
            onEnter={() => {
              changing(setPrompt)(`${prompt}\n`);
            }}
          />
        </div>
      </div>
      {field(trans.__("Limit of cost, in US dollars"), cost, setCost, trans.__("none"), {
        inputMode: "decimal",
      })}
      <div className="jp-BestChat-row">
        <button type="submit" className="jp-BestChat-button jp-mod-primary">
          {trans.__("Save")}
        </button>
        <span role="status" className="jp-BestChat-muted">
          {saved && trans.__("Saved.")}
        </span>
      </div>
    </form>
  );
}
