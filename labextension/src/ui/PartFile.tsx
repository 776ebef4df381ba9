import { useState } from "react";

import type { FileTransfer } from "../api/files.js";
import type { FilePart } from "../conversation/manager.js";
import { fileIcon } from "./icons.js";
import { save } from "./save.js";
import { useServices } from "./services.js";
import { sizeOf } from "./sizes.js";
import { useFileAddress } from "./useFileAddress.js";

const SHOWN = /^image\/(?:png|jpeg|gif|webp)$/;

/** A file that is part of a message: a picture is shown, and a click downloads any. */
export function PartFile({ part }: { part: FilePart }) {
  const { files, trans } = useServices();
  const [trouble, setTrouble] = useState("");
  const picture = SHOWN.test(part.media_type) && files !== null;
  const { address, missing } = useFileAddress(part.file_id, picture);
  const download = async (from: FileTransfer): Promise<void> => {
    try {
      save(await from.bytes(part.file_id), part.name);
      setTrouble("");
    } catch {
      setTrouble(trans.__("It is not there any more."));
    }
  };
  return (
    <div className="jp-BestChat-partFile">
      {picture && !missing && (
        <div className="jp-BestChat-pictureFrame">
          {address !== null && <img className="jp-BestChat-image" src={address} alt={part.name} />}
        </div>
      )}
      <button
        type="button"
        className="jp-BestChat-file"
        title={trans.__("Download %1", part.name)}
        disabled={files === null}
        onClick={() => files !== null && void download(files)}
      >
        <fileIcon.react tag="span" width="16px" height="16px" />
        <span className="jp-BestChat-fileName">{part.name}</span>
        <span className="jp-BestChat-muted">{sizeOf(part.size)}</span>
      </button>
      {trouble !== "" && (
        <span className="jp-BestChat-fileError" role="alert">
          {trouble}
        </span>
      )}
    </div>
  );
}
