import { useRef, useState } from "react";

import { asApiError, type ApiError } from "../../api/errors.js";
import { Notice } from "../Notice.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";
import { exportAll, exportOne, importFile, removeAll, type Progress } from "./archive.js";
import { Trash } from "./Trash.js";

/** One's own data: take it away, bring it in, delete it. */
export function Data() {
  const { manager, catalog, trans } = useServices();
  const { current } = useView(manager);
  const { site } = useView(catalog);
  const file = useRef<HTMLInputElement>(null);
  const [told, setTold] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  const [certain, setCertain] = useState(false);
  const [version, setVersion] = useState(0);

  const attempt = async (action: () => Promise<string>): Promise<void> => {
    setError(null);
    setTold("");
    try {
      setTold(await action());
    } catch (reason) {
      setError(asApiError(reason));
    }
    setVersion((before) => before + 1);
  };
  const progress: Progress = (done, total) => {
    setTold(trans.__("%1 of %2…", done, total));
  };
  const button = (label: string, action: () => Promise<string>) => (
    <button type="button" className="jp-BestChat-button" onClick={() => void attempt(action)}>
      {label}
    </button>
  );
  const { client } = manager;
  return (
    <>
      <section className="jp-BestChat-card" aria-label={trans.__("Export and import")}>
        <h4>{trans.__("Export and import")}</h4>
        {current !== null && (
          <div className="jp-BestChat-row">
            {trans.__("The open conversation:")}
            {button(trans.__("Markdown"), () => exportOne(client, current.id, "markdown"))}
            {button(trans.__("Notebook"), () => exportOne(client, current.id, "notebook"))}
            {button(trans.__("JSON"), () => exportOne(client, current.id, "json"))}
          </div>
        )}
        <div className="jp-BestChat-row">
          {button(trans.__("Export all conversations"), async () =>
            trans.__("%1 conversations were exported.", await exportAll(client, progress)),
          )}
          <button
            type="button"
            className="jp-BestChat-button"
            onClick={() => {
              file.current?.click();
            }}
          >
            {trans.__("Import…")}
          </button>
          <input
            ref={file}
            type="file"
            hidden
            aria-label={trans.__("File to import")}
            accept=".json,.chat"
            onChange={(event) => {
              const [chosen] = event.target.files ?? [];
              event.target.value = "";
              if (chosen !== undefined) {
                void attempt(async () =>
                  trans.__("%1 conversations were imported.", await importFile(client, chosen, progress)),
                );
              }
            }}
          />
        </div>
        <p>
          {trans.__("What BestChat has exported can be imported, and %1 files of jupyter-ai.", ".chat")}
        </p>
      </section>
      <section className="jp-BestChat-card" aria-label={trans.__("Delete")}>
        <h4>{trans.__("Delete")}</h4>
        <p>
          {trans.__("Deleted conversations can be brought back for %1 days, and are gone then.", site.keepDeletedDays)}
        </p>
        <label className="jp-BestChat-row">
          <input
            type="checkbox"
            checked={certain}
            onChange={(event) => {
              setCertain(event.target.checked);
            }}
          />
          {trans.__("I want to delete all my conversations")}
        </label>
        <div className="jp-BestChat-row">
          <button
            type="button"
            className="jp-BestChat-button jp-mod-warn"
            disabled={!certain}
            onClick={() =>
              void attempt(async () => {
                setCertain(false);
                manager.close();
                return trans.__("%1 conversations were deleted.", await removeAll(client, progress));
              })
            }
          >
            {trans.__("Delete all conversations")}
          </button>
        </div>
        <Trash key={version} />
      </section>
      {told !== "" && <Notice kind="info" text={told} />}
      {error !== null && <Notice kind="error" text={error.message} hint={error.hint} />}
    </>
  );
}
