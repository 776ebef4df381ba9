interface Props {
  kind: "error" | "warning" | "info";
  text: string;
  /** What to do about it. */
  hint?: string;
  actions?: readonly { label: string; run: () => unknown }[];
}

/** Says what is wrong, and what can be done. */
export function Notice({ kind, text, hint = "", actions = [] }: Props) {
  return (
    <div className={`jp-BestChat-notice jp-mod-${kind}`} role={kind === "info" ? "status" : "alert"}>
      <div className="jp-BestChat-noticeText">{text}</div>
      {hint !== "" && <div className="jp-BestChat-noticeHint">{hint}</div>}
      {actions.length > 0 && (
        <div className="jp-BestChat-row">
          {actions.map(({ label, run }) => (
            <button
              key={label}
              type="button"
              className="jp-BestChat-button"
              onClick={() => {
                void run();
              }}
            >
              {label}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
