/** What stands below each other in a conversation: questions, and what came of them. Pure. */

import type { ConversationState, Message, Turn } from "./state.js";
import type { Shown } from "./tree.js";

/** What a person said. */
export interface Question {
  kind: "question";
  key: string;
  message: Message;
  siblings: readonly string[];
}

/** What one turn brought: its answers, step by step; none yet, or none at all if it failed. */
export interface Answer {
  kind: "answer";
  key: string;
  turn: Turn | null;
  messages: readonly Message[];
  siblings: readonly string[];
  /** The message that it answers. */
  questionId: string | null;
}

export type Row = Question | Answer;

/** The rows of the branch that is shown. */
export function rowsOf(state: ConversationState, shown: readonly Shown[]): Row[] {
  const silent = silentTurns(state);
  const rows: Row[] = [];
  let questionId: string | null = null;
  const endQuestion = (): void => {
    const turn = questionId === null ? undefined : silent.get(questionId);
    if (turn !== undefined) {
      const { id: key } = turn;
      rows.push({ kind: "answer", key, turn, messages: [], siblings: [], questionId });
    }
  };
  for (const { message, siblings } of shown) {
    const last = rows.at(-1);
    const { id, turn_id: turnId } = message;
    if (message.role === "user") {
      endQuestion();
      questionId = id;
      rows.push({ kind: "question", key: id, message, siblings });
    } else if (last?.kind === "answer" && last.key === turnId) {
      last.messages = [...last.messages, message];
    } else {
      const turn = state.turns[turnId] ?? null;
      rows.push({ kind: "answer", key: turnId, turn, messages: [message], siblings, questionId });
    }
  }
  endQuestion();
  return rows;
}

/** By question: the newest turn that answers it, if nothing of that turn is stored. */
function silentTurns(state: ConversationState): Map<string, Turn> {
  const speaking = new Set<string>();
  for (const message of Object.values(state.messages)) {
    if (message.role !== "user") {
      speaking.add(message.turn_id);
    }
  }
  const newest = new Map<string, Turn>();
  for (const turn of Object.values(state.turns)) {
    newest.set(turn.message_id, turn);
  }
  for (const [questionId, turn] of newest) {
    if (speaking.has(turn.id)) {
      newest.delete(questionId);
    }
  }
  return newest;
}
