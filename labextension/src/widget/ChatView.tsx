/** The chat in an output cell: the panel's messages, and a place to write. */

import { MessageList } from "../ui/MessageList.js";
import { Notice } from "../ui/Notice.js";
import { Queue } from "../ui/Queue.js";
import { ServicesContext, type Services } from "../ui/services.js";
import { useView } from "../ui/useSignal.js";
import type { CommDoor } from "./comm.js";
import { WidgetComposer } from "./WidgetComposer.js";

interface Props {
  services: Services;
  door: CommDoor;
}

export function ChatView({ services, door }: Props) {
  const { manager, trans } = services;
  const { current, error } = useView(manager);
  return (
    <ServicesContext.Provider value={services}>
      {current === null ? (
        <div className="jp-BestChat-messages" />
      ) : (
        <MessageList key={current.id} model={current} />
      )}
      {error !== null && (
        <Notice
          kind="error"
          text={error.message}
          hint={error.hint}
          actions={[
            {
              label: trans.__("Dismiss"),
              run: () => {
                manager.forgive();
              },
            },
          ]}
        />
      )}
      {current !== null && <Queue model={current} />}
      <WidgetComposer model={current} door={door} />
    </ServicesContext.Provider>
  );
}
