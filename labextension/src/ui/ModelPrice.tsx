import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

interface Props {
  model: string;
  /** Whether to say what the price is for. */
  full?: boolean;
}

/** What a million tokens in and out cost; nothing where that is not known. */
export function ModelPrice({ model, full = false }: Props) {
  const { catalog, trans } = useServices();
  useView(catalog);
  const prices = catalog.prices(model);
  if (prices?.input == null || prices.output == null) {
    return null;
  }
  return (
    <span
      className="jp-BestChat-muted"
      title={trans.__("US dollars for a million tokens in and out, as of %1", prices.as_of ?? "")}
    >
      ${prices.input} / ${prices.output}
      {full && ` ${trans.__("for a million tokens in / out")}`}
    </span>
  );
}
