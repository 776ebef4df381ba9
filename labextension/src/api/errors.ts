/** The one class of everything that goes wrong between browser and server. */

import type { components } from "./generated.js";

export type ErrorInfo = components["schemas"]["ErrorInfo"];

/** Codes that only the browser's side knows: no server was there to say anything. */
export const UNREACHABLE = "unreachable";
export const NO_EXTENSION = "no_extension";

/** What went wrong, in the server's words or in ours: `message` is its sentence for a person. */
export class ApiError extends Error {
  readonly info: ErrorInfo;

  constructor(info: ErrorInfo, options?: ErrorOptions) {
    super(info.text, options);
    this.name = "ApiError";
    this.info = info;
  }

  /** Stable name of what went wrong. */
  get code(): string {
    return this.info.code;
  }

  /** What to do about it; empty if nothing is known. */
  get hint(): string {
    return this.info.hint ?? "";
  }
}

/** Nobody answers at the server's address. */
export function unreachable(cause?: unknown): ApiError {
  return new ApiError(
    {
      code: UNREACHABLE,
      kind: "unavailable",
      text: "The Jupyter server cannot be reached.",
      hint: "Check your network, and that the server still runs.",
    },
    { cause },
  );
}

/** Something answers, and it is not BestChat. */
export function notOurs(status: number): ApiError {
  if (status === 404) {
    return new ApiError({
      code: NO_EXTENSION,
      kind: "unavailable",
      text: "BestChat's server extension does not run on this Jupyter server.",
      hint: "jupyter server extension enable bestchat_server_ext",
    });
  }
  return new ApiError({
    code: UNREACHABLE,
    kind: "unavailable",
    text: `The server answered with HTTP ${String(status)}.`,
    hint: "Reload the page; you may have to sign in again.",
  });
}

/** What an answer says that is no success: the server's words, if they are BestChat's. */
export function answerError(status: number, body: unknown): ApiError {
  return isErrorBody(body) ? new ApiError(body.error) : notOurs(status);
}

/** Any thrown value as the one class. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : unreachable(error);
}

function isErrorBody(body: unknown): body is { error: ErrorInfo } {
  return (
    typeof body === "object" &&
    body !== null &&
    "error" in body &&
    typeof body.error === "object" &&
    body.error !== null &&
    "code" in body.error &&
    "text" in body.error
  );
}
