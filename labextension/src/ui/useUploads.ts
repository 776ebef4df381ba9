import { useCallback, useEffect, useMemo } from "react";

import type { ConversationModel } from "../conversation/model.js";
import type { Upload } from "../conversation/uploads.js";
import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

interface ComposerFiles {
  readonly uploads: readonly Upload[];
  add: (files: Iterable<File>) => void;
  remove: (id: string) => void;
  /** Have the next message take along what is attached. */
  take: () => TakenFiles;
}

/** What one message takes along. */
export interface TakenFiles {
  /** Ids of the files, once they are there. */
  ready: () => Promise<readonly string[]>;
  /** The message was sent with those, or not at all. */
  done: (sent: boolean) => void;
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
      take: () => {
        const ids = service.take(id);
        let there = ids;
        return {
          ready: async () => (there = await service.ready(id, ids)),
          done: (sent) => {
            if (sent) {
              service.sent(id, there);
            }
            service.giveBack(id, ids);
          },
        };
      },
    }),
    [service, view, id, add],
  );
}
