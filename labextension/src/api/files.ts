/** Bytes of files, to the server and back: past JSON, and with progress. */

import type { Schemas } from "./client.js";
import { credentials, type Connection } from "./connection.js";
import { answerError, unreachable } from "./errors.js";

export type FileUpload = Schemas["FileUpload"];

interface Watching {
  /** Is told which part of the file has been sent, from 0 to 1. */
  progress: (share: number) => void;
  signal: AbortSignal;
}

export class FileTransfer {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Send the bytes of a file that was announced.
   *
   * @throws ApiError what the server said, or that it could not be reached.
   */
  send(fileId: string, content: Blob, { progress, signal }: Watching): Promise<FileUpload> {
    // `fetch` does not tell how far it has come.
    const request = new XMLHttpRequest();
    request.open("PUT", this.#url(fileId));
    for (const [name, value] of Object.entries(credentials(this.#connection))) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = ({ loaded, total }) => {
      progress(total === 0 ? 1 : loaded / total);
    };
    signal.addEventListener("abort", () => {
      request.abort();
    });
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(unreachable());
      };
      request.onerror = fail;
      request.onabort = fail;
      request.onload = () => {
        const body = parsed(request.responseText);
        if (request.status === 200 && body !== undefined) {
          resolve(body as FileUpload); // the types are generated from what the server sends
        } else {
          reject(answerError(request.status, body));
        }
      };
      request.send(content);
    });
  }

  /**
   * The bytes of a file.
   *
   * @throws ApiError what the server said, or that it could not be reached.
   */
  async bytes(fileId: string, signal?: AbortSignal): Promise<Blob> {
    const { fetch } = this.#connection; // as a method of something else, browsers refuse it
    let answer: Response;
    try {
      answer = await fetch(this.#url(fileId), {
        headers: credentials(this.#connection),
        credentials: "same-origin",
        ...(signal === undefined ? {} : { signal }),
      });
      if (answer.ok) {
        return await answer.blob();
      }
    } catch (error) {
      throw unreachable(error);
    }
    throw answerError(answer.status, parsed(await answer.text()));
  }

  #url(fileId: string): string {
    return new URL(`bestchat/api/files/${fileId}`, this.#connection.baseUrl).href;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
