/** Takes conversations out of the server, and brings them in; one call for each. */

import type { Client, ResponseOf, Schemas } from "../../api/client.js";
import type { Conversation } from "../../conversation/state.js";

type Format = NonNullable<Schemas["ExportConversation"]["format"]>;
type ExportedFile = ResponseOf<"conversations.export">;

/** Told how far it has come. */
export type Progress = (done: number, total: number) => void;

const PAGE = 200;

/** What all conversations are called together, and how they are told from a single one. */
const ARCHIVE = "bestchat-archive";

/** Save one conversation as a file; gives its name. */
export async function exportOne(client: Client, id: string, format: Format): Promise<string> {
  const file = await client.call("conversations.export", { conversation_id: id, format });
  save(file);
  return file.name;
}

/** Save all conversations in one file; gives how many. */
export async function exportAll(client: Client, progress: Progress): Promise<number> {
  const conversations: unknown[] = [];
  const all = await everything(client);
  for (const { id } of all) {
    progress(conversations.length, all.length);
    const file = await client.call("conversations.export", { conversation_id: id, format: "json" });
    conversations.push(JSON.parse(file.content));
  }
  const content = JSON.stringify({ format: ARCHIVE, conversations });
  save({ name: `bestchat-${day()}.json`, media_type: "application/json", content });
  return all.length;
}

/** Bring in what a file holds; gives how many conversations that were. */
export async function importFile(client: Client, file: File, progress: Progress): Promise<number> {
  const text = await file.text();
  if (file.name.endsWith(".chat")) {
    const title = file.name.slice(0, -".chat".length);
    await client.call("conversations.import", { content: text, format: "jupyter-ai", title });
    return 1;
  }
  const contents = conversationsIn(text);
  for (const [done, content] of contents.entries()) {
    progress(done, contents.length);
    await client.call("conversations.import", { content, format: "json" });
  }
  return contents.length;
}

/** Delete all conversations; gives how many. They can be brought back for a while. */
export async function removeAll(client: Client, progress: Progress): Promise<number> {
  const all = await everything(client);
  for (const [done, { id }] of all.entries()) {
    progress(done, all.length);
    await client.call("conversations.delete", { conversation_id: id });
  }
  return all.length;
}

/** The texts of single conversations; what is no archive of ours is for the server to judge. */
function conversationsIn(text: string): string[] {
  try {
    const value = JSON.parse(text) as { format?: unknown; conversations?: unknown } | null;
    if (value?.format === ARCHIVE && Array.isArray(value.conversations)) {
      return value.conversations.map((one) => JSON.stringify(one));
    }
  } catch {
    // It is none.
  }
  return [text];
}

async function everything(client: Client): Promise<Conversation[]> {
  const found: Conversation[] = [];
  let cursor = "";
  do {
    const page = await client.call("conversations.list", { limit: PAGE, cursor, archived: null });
    found.push(...page.conversations);
    cursor = page.cursor;
  } while (cursor !== "");
  return found;
}

function save({ name, media_type: type, content }: ExportedFile): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

function day(): string {
  return new Date().toISOString().slice(0, 10);
}
