import { useServices } from "../services.js";

/** The next step: the same chat in a notebook. */
export function TourCard() {
  const { tour, trans } = useServices();
  return (
    <section className="jp-BestChat-card" aria-label={trans.__("In a notebook")}>
      <h4>{trans.__("The same in a notebook")}</h4>
      <pre className="jp-BestChat-sample">
        {"%load_ext bestchat_kernel\n\n%%chat\n"}
        {trans.__("What stands out in @df?")}
      </pre>
      <p>
        {trans.__("%1 shows the model your variable. What is asked there is a conversation here too.", "@df")}
      </p>
      {tour !== undefined && (
        <div className="jp-BestChat-row">
          <button type="button" className="jp-BestChat-button" onClick={tour}>
            {trans.__("Try it in a new notebook")}
          </button>
        </div>
      )}
    </section>
  );
}
