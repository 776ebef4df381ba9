/** Typed calls of the API's procedures. */

import { credentials, type Connection } from "./connection.js";
import { answerError, unreachable } from "./errors.js";
import type { components, operations } from "./generated.js";

export type Schemas = components["schemas"];

/** The protocol that this side speaks. */
export const PROTOCOL = 1;

interface Callable {
  responses: { 200: { content: { "application/json": unknown } } };
}

/** What can be called: everything in the API but its documents. */
export type Procedure = {
  [Name in keyof operations]: operations[Name] extends Callable
    ? Name extends `${string}.${string}`
      ? Name
      : never
    : never;
}[keyof operations];

type Body<Operation> = Operation extends {
  requestBody?: { content: { "application/json": infer Request } } | undefined;
}
  ? Request
  : never;

/** What a procedure takes. */
export type RequestOf<Name extends Procedure> = Body<operations[Name]>;

/** What a procedure gives. */
export type ResponseOf<Name extends Procedure> =
  operations[Name]["responses"][200]["content"]["application/json"];

/** Speaks to one server. */
export class Client {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Carry out one procedure.
   *
   * @throws ApiError what the server said, or that nobody was there to say anything.
   */
  async call<Name extends Procedure>(
    name: Name,
    request: RequestOf<Name>,
    signal?: AbortSignal,
  ): Promise<ResponseOf<Name>> {
    const answer = await this.#post(name, JSON.stringify(request), signal);
    const body = await read(answer);
    if (!answer.ok || body === undefined) {
      throw answerError(answer.status, body);
    }
    return body as ResponseOf<Name>; // the types are generated from what the server sends
  }

  async #post(name: string, body: string, signal: AbortSignal | undefined): Promise<Response> {
    const url = new URL(`bestchat/api/${name}`, this.#connection.baseUrl);
    const { fetch } = this.#connection; // as a method of something else, browsers refuse it
    try {
      return await fetch(url.href, {
        method: "POST",
        body,
        headers: {
          "Content-Type": "application/json",
          "X-BestChat-Protocol": String(PROTOCOL),
          ...credentials(this.#connection),
        },
        cache: "no-store",
        credentials: "same-origin",
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw unreachable(error);
    }
  }
}

/** The JSON of an answer; undefined if it is none. */
async function read(answer: Response): Promise<unknown> {
  try {
    return (await answer.json()) as unknown;
  } catch {
    return undefined;
  }
}
