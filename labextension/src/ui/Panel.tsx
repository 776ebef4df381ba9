/** The whole panel. */

import { useEffect, useState } from "react";

import { Banner } from "./Banner.js";
import { Composer, type Inbox } from "./Composer.js";
import { DeletedNotice } from "./DeletedNotice.js";
import { Header, type Place } from "./Header.js";
import { History } from "./History.js";
import { MessageList } from "./MessageList.js";
import { Notice } from "./Notice.js";
import { Queue } from "./Queue.js";
import { ServicesContext, type Services } from "./services.js";
import { Settings } from "./Settings.js";
import { useView } from "./useSignal.js";
import { Welcome } from "./Welcome.js";

interface Props {
  services: Services;
  inbox: Inbox & { put(text: string): void };
}

export function Panel({ services, inbox }: Props) {
  const { manager, catalog, trans } = services;
  const { current, error } = useView(manager);
  const [place, setPlace] = useState<Place>("chat");
  const arrived = useView(inbox);
  useEffect(() => {
    setPlace("chat");
  }, [arrived]);
  useEffect(() => {
    void catalog.refresh(true);
  }, [catalog]);
  const chat = (): void => {
    setPlace("chat");
  };
  return (
    <ServicesContext.Provider value={services}>
      <Header model={current} place={place} onGo={setPlace} />
      <Banner />
      {place === "history" && <History onOpen={chat} />}
      {place === "settings" && <Settings />}
      {place === "chat" &&
        (current === null ? (
          <Welcome
            onAsk={(text) => {
              inbox.put(text);
            }}
          />
        ) : (
          <MessageList key={current.id} model={current} />
        ))}
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
      {place === "chat" && (
        <>
          {current !== null && <DeletedNotice model={current} />}
          {current !== null && <Queue model={current} />}
          <Composer model={current} inbox={inbox} />
        </>
      )}
    </ServicesContext.Provider>
  );
}
