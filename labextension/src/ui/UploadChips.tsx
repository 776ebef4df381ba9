import { closeIcon } from "@jupyterlab/ui-components";

import type { Upload } from "../conversation/uploads.js";
import { fileIcon } from "./icons.js";
import { IconButton } from "./IconButton.js";
import { shortName } from "./modelNames.js";
import { useServices, useTrans } from "./services.js";
import { sizeOf } from "./sizes.js";
import { useChosenModel } from "./useChosenModel.js";

interface Props {
  uploads: readonly Upload[];
  onRemove: (id: string) => void;
}

/** The files that go along with the next message. */
export function UploadChips({ uploads, onRemove }: Props) {
  const { catalog, trans } = useServices();
  const ref = useChosenModel();
  if (uploads.length === 0) {
    return null;
  }
  const pictures = uploads.some(({ preview }) => preview !== null);
  const blind = pictures && ref !== null && catalog.facts(ref)?.images === false;
  return (
    <>
      <ul className="jp-BestChat-files" aria-label={trans.__("Attached files")}>
        {uploads.map((upload) => (
          <UploadChip
            key={upload.id}
            upload={upload}
            onRemove={() => {
              onRemove(upload.id);
            }}
          />
        ))}
      </ul>
      {blind && (
        <div className="jp-BestChat-fileError" role="status">
          {trans.__("%1 cannot look at pictures: choose another model, or take the picture off.", shortName(ref))}
        </div>
      )}
    </>
  );
}

function UploadChip({ upload, onRemove }: { upload: Upload; onRemove: () => void }) {
  const trans = useTrans();
  const { name, size, preview, progress, error } = upload;
  const percent = Math.floor(progress * 100);
  return (
    <li className="jp-BestChat-file" data-state={error === null ? (progress === 1 ? "ready" : "sending") : "failed"}>
      {preview === null ? (
        <fileIcon.react tag="span" width="16px" height="16px" />
      ) : (
        <img className="jp-BestChat-thumbnail" src={preview} alt="" />
      )}
      <span className="jp-BestChat-fileName" title={name}>
        {name}
      </span>
      <span className="jp-BestChat-muted">{sizeOf(size)}</span>
      {error === null && progress < 1 && (
        <progress aria-label={trans.__("Sending %1", name)} max={100} value={percent} />
      )}
      {error !== null && (
        <span className="jp-BestChat-fileError" role="alert" title={error.hint}>
          {error.message}
        </span>
      )}
      <IconButton icon={closeIcon} label={trans.__("Remove %1", name)} onClick={onRemove} />
    </li>
  );
}
