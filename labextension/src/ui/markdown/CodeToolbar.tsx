import { copyIcon } from "@jupyterlab/ui-components";

import { CopyButton } from "../CopyButton.js";
import { IconButton } from "../IconButton.js";
import { useServices } from "../services.js";

interface Props {
  code: string;
  language: string;
}

/** What can be done with a block of code; other extensions add to it. */
export function CodeToolbar({ code, language }: Props) {
  const { codeActions, trans } = useServices();
  return (
    <div className="jp-BestChat-codeToolbar" role="toolbar" aria-label={trans.__("Code")}>
      {codeActions.actions.map((action) => (
        <IconButton
          key={action.id}
          icon={action.icon}
          label={action.label}
          onClick={() => {
            if (action.enabled()) {
              void action.run(code, language);
            }
          }}
        />
      ))}
      <CopyButton text={code} icon={copyIcon} label={trans.__("Copy code")} />
    </div>
  );
}
