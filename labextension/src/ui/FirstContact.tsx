import { DemoCard } from "./DemoCard.js";
import { KeyCard } from "./KeyCard.js";
import { useServices } from "./services.js";
import { AddressCard } from "./AddressCard.js";
import { useView } from "./useSignal.js";

/** Three ways to a model, where there is none yet. */
export function FirstContact() {
  const { catalog, trans } = useServices();
  const { models, userKeys } = useView(catalog);
  return (
    <div className="jp-BestChat-welcome">
      <h3>{trans.__("Who is to answer?")}</h3>
      {!userKeys && <p>{trans.__("Models are provided by your site. %1", models?.default_todo ?? "")}</p>}
      {userKeys && <KeyCard />}
      {userKeys && <AddressCard />}
      <DemoCard />
      <p className="jp-BestChat-muted">
        {trans.__("Keys are stored encrypted where the server runs, and are never shown again.")}
      </p>
    </div>
  );
}
