import { useRef } from "react";

import { HelpLink } from "../HelpLink.js";
import { useServices } from "../services.js";
import { useView } from "../useSignal.js";
import { AddressCard } from "./AddressCard.js";
import { DemoCard } from "./DemoCard.js";
import { KeyCard } from "./KeyCard.js";
import { useOllama } from "./ollama.js";
import { OllamaCard } from "./OllamaCard.js";
import { ReadyCard } from "./ReadyCard.js";

/** The ways to a model, where nobody answers yet: what was found first. */
export function FirstContact() {
  const { catalog, trans } = useServices();
  const { models, site } = useView(catalog);
  const top = useRef<HTMLHeadingElement>(null);
  const { ollama, look } = useOllama(top);
  return (
    <div className="jp-BestChat-welcome">
      <h3 ref={top}>{trans.__("Who is to answer?")}</h3>
      {!site.userKeys && (
        <>
          <p>{trans.__("Models are provided by your site.")}</p>
          <p className="jp-BestChat-muted">{models?.default_todo}</p>
          <HelpLink />
        </>
      )}
      <ReadyCard />
      <OllamaCard ollama={ollama} onLook={look} />
      {site.userKeys && <KeyCard />}
      {site.userKeys && <AddressCard />}
      <DemoCard />
      {site.userKeys && (
        <p className="jp-BestChat-muted">
          {trans.__("Keys are stored encrypted where the server runs, and are never shown again.")}
        </p>
      )}
    </div>
  );
}
