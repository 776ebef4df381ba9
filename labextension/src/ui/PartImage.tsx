import type { Image } from "../conversation/manager.js";
import { useTrans } from "./services.js";

const SHOWN = /^image\/(?:png|jpeg|gif|webp)$/;

/** A picture that is part of a message. */
export function PartImage({ part }: { part: Image }) {
  const trans = useTrans();
  if (!SHOWN.test(part.media_type)) {
    return <span className="jp-BestChat-muted">{part.media_type}</span>;
  }
  const source = `data:${part.media_type};base64,${part.data}`;
  return <img className="jp-BestChat-image" src={source} alt={trans.__("Picture")} />;
}
