import { useEffect, useState } from "react";

import { useServices } from "./services.js";

interface FileAddress {
  /** Where the page has the file; none as long as it is on its way. */
  readonly address: string | null;
  readonly missing: boolean;
}

const UNKNOWN: FileAddress = { address: null, missing: false };

/** A file as something that an image can show, if it is wanted. */
export function useFileAddress(fileId: string, wanted: boolean): FileAddress {
  const { files } = useServices();
  const [found, setFound] = useState(UNKNOWN);
  useEffect(() => {
    if (!wanted || files === null) {
      return undefined;
    }
    const stop = new AbortController();
    let address: string | null = null;
    files.bytes(fileId, stop.signal).then(
      (content) => {
        if (!stop.signal.aborted) {
          address = URL.createObjectURL(content);
          setFound({ address, missing: false });
        }
      },
      () => {
        setFound({ address: null, missing: true });
      },
    );
    return () => {
      stop.abort();
      if (address !== null) {
        URL.revokeObjectURL(address);
      }
    };
  }, [files, fileId, wanted]);
  return found;
}
