import { type Turn } from "../conversation/state.js";
import { Notice } from "./Notice.js";
import { useServices } from "./services.js";

interface Props {
  turn: Turn;
  questionId: string | null;
  /** Whether anything has arrived that could be continued. */
  begun: boolean;
}

/** How a turn ended, if not well, and what can be done about it. */
export function AnswerEnding({ turn, questionId, begun }: Props) {
  const { manager, trans } = useServices();
  const again = [
    ...(begun || questionId === null
      ? [{ label: trans.__("Continue"), run: () => manager.goOn(turn.id) }]
      : []),
    ...(questionId === null
      ? []
      : [{ label: trans.__("Ask again"), run: () => manager.regenerate(questionId) }]),
  ];
  switch (turn.state) {
    case "failed":
      return (
        <Notice
          kind="error"
          text={turn.error?.text ?? trans.__("The model did not answer.")}
          hint={turn.error?.hint ?? ""}
          actions={again}
        />
      );
    case "interrupted":
      return (
        <Notice
          kind="warning"
          text={trans.__("The server stopped before the answer was complete.")}
          hint={begun ? trans.__("What had arrived was kept.") : ""}
          actions={again}
        />
      );
    case "cancelled":
      return (
        <div className="jp-BestChat-row jp-BestChat-muted">
          {trans.__("Stopped.")}
          {again.slice(0, 1).map(({ label, run }) => (
            <button
              key={label}
              type="button"
              className="jp-BestChat-button"
              onClick={() => void run()}
            >
              {label}
            </button>
          ))}
        </div>
      );
    case "waiting":
      return <div className="jp-BestChat-muted">{trans.__("Waits for an approval.")}</div>;
    default:
      return null;
  }
}
