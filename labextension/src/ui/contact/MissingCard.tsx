import { copyIcon } from "@jupyterlab/ui-components";

import { NO_EXTENSION, type ApiError } from "../../api/errors.js";
import { CopyButton } from "../CopyButton.js";
import { useServices } from "../services.js";

/** What the server says if it has only what kernels need. */
const NOT_INSTALLED = "not_installed";

const COMMANDS: Readonly<Partial<Record<string, string>>> = {
  [NO_EXTENSION]: "jupyter server extension enable bestchat_server_ext",
  [NOT_INSTALLED]: 'pip install "bestchat[lab]"',
};

/** Whether one command is all that is missing. */
export function isMissing(error: ApiError): boolean {
  return error.code in COMMANDS;
}

/** The server lacks its side of BestChat: the one command that brings it. */
export function MissingCard({ error }: { error: ApiError }) {
  const { catalog, trans } = useServices();
  const command = COMMANDS[error.code] ?? "";
  const text =
    error.code === NOT_INSTALLED
      ? trans.__("This server has the light install of BestChat, which is enough for kernels only.")
      : trans.__("BestChat's server extension does not run on this Jupyter server.");
  return (
    <section className="jp-BestChat-card" role="alert" aria-label={trans.__("What is missing")}>
      <p>{text}</p>
      <p>{trans.__("Run this where the server runs, and start the server again:")}</p>
      <div className="jp-BestChat-command">
        <code>{command}</code>
        <CopyButton text={command} icon={copyIcon} label={trans.__("Copy command")} />
      </div>
      <div className="jp-BestChat-row">
        <button type="button" className="jp-BestChat-button" onClick={() => void catalog.refresh(true)}>
          {trans.__("Try again")}
        </button>
      </div>
    </section>
  );
}
