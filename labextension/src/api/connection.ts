/** How a server is reached: everything that the browser, JupyterLab or a test has to give. */

/** JupyterLab's `ServerConnection.ISettings` is one of these. */
export interface Connection {
  /** Where the server is, with a slash at the end. */
  readonly baseUrl: string;
  /** The same for WebSockets. */
  readonly wsUrl: string;
  /** Jupyter's token; empty where a cookie says who asks. */
  readonly token: string;
  /** Whether the token has to stand in the address of a WebSocket. */
  readonly appendToken: boolean;
  readonly fetch: (input: string, init?: RequestInit) => Promise<Response>;
  readonly WebSocket: typeof WebSocket;
}

/** The address of the WebSocket. */
export function socketUrl(connection: Connection): string {
  const url = new URL("bestchat/api/events", connection.wsUrl);
  if (connection.appendToken && connection.token !== "") {
    url.searchParams.set("token", connection.token);
  }
  return url.href;
}

/**
 * What says who asks: the token, and for cookies the proof that a page of this server asks.
 *
 * Jupyter takes a request with a cookie only if the `_xsrf` cookie is said again in a header.
 */
export function credentials(connection: Connection): Record<string, string> {
  const headers: Record<string, string> = {};
  if (connection.token !== "") {
    headers["Authorization"] = `token ${connection.token}`;
  }
  const xsrf = cookie("_xsrf");
  if (xsrf !== null) {
    headers["X-XSRFToken"] = xsrf;
  }
  return headers;
}

function cookie(name: string): string | null {
  const all = typeof document === "undefined" ? "" : document.cookie;
  const found = all.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found === undefined ? null : found.slice(name.length + 1);
}
