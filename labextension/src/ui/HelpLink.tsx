import { useServices } from "./services.js";
import { useView } from "./useSignal.js";

/** The way to whoever helps at this site, where the site has named one. */
export function HelpLink() {
  const { catalog, trans } = useServices();
  const { site } = useView(catalog);
  if (!/^https?:/.test(site.helpUrl)) {
    return null;
  }
  return (
    <a className="jp-BestChat-link" href={site.helpUrl} target="_blank" rel="noopener noreferrer">
      {trans.__("Help from your site")}
    </a>
  );
}
