import { useCallback, useEffect, useMemo } from "react";

import type { ConversationModel } from "../conversation/model.js";
import type { Upload } from "../conversation/uploads.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

interface ComposerFiles {
  readonly uploads: readonly Upload[];
  add: (files: Iterable<File>) => void;
  remove: (id: string) => void;
  /** Send something with what is attached, once that is there; says whether it was sent. */
  sendWith: (send: (ids: readonly string[]) => Promise<boolean>) => Promise<boolean>;
}

const NONE: readonly Upload[] = [];

/** The files in the composer of a conversation; the first one begins it, if need be. */
export function useUploads(model: ConversationModel | null): ComposerFiles {
  const { manager, uploads: service } = useServices();
  const view = useView(service);
  const id = model?.id ?? "";
  useEffect(() => {
    if (id !== "") {
      void service.restore(id);
    }
  }, [service, id]);
  const add = useCallback(
    (files: Iterable<File>): void => {
      const given = Array.from(files);
      if (given.length > 0) {
        void manager.attempt(async () => {
          service.add((await manager.opened()).id, given);
        });
      }
    },
    [manager, service],
  );
  return useMemo(
    () => ({
      uploads: view[id] ?? NONE,
      add,
      remove: (fileId) => void service.remove(id, fileId),
      sendWith: async (send) => {
        const ids = id === "" ? [] : await service.ready(id);
        const sent = await send(ids);
        if (sent && ids.length > 0) {
          service.sent(id, ids);
        }
        return sent;
      },
    }),
    [service, view, id, add],
  );
}
