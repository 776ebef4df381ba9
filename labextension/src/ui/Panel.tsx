/** The whole panel. */

import { useEffect, useState } from "react";

import { Banner } from "./Banner.js";
import { Boundary } from "./Boundary.js";
import type { Inbox } from "./Composer.js";
import { ConversationFoot } from "./ConversationFoot.js";
import { Header } from "./Header.js";
import { History } from "./History.js";
import { MessageList } from "./MessageList.js";
import { Notice } from "./Notice.js";
import type { Place } from "./place.js";
import { ServicesContext, type Services } from "./services.js";
import { Settings } from "./settings/Settings.js";
import { useView } from "./useSignal.js";
import { Welcome } from "./Welcome.js";

interface Props {
  services: Services;
  inbox: Inbox & { put(text: string, along?: readonly string[]): void };
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
      <Boundary>
        <Header
          model={current}
          place={place}
          onGo={setPlace}
          onNew={() => {
            manager.close();
            inbox.put(""); // where one writes it is, whatever was shown before
          }}
        />
        <Banner />
        {place === "history" && <History onOpen={chat} />}
        {place === "settings" && <Settings />}
        {place === "chat" &&
          (current === null ? (
            <Welcome
              onAsk={(text, along) => {
                inbox.put(text, along);
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
        {place === "chat" && <ConversationFoot model={current} inbox={inbox} />}
      </Boundary>
    </ServicesContext.Provider>
  );
}
