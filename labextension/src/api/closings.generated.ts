// Made by python scripts/make_api_types.py: why the server closes the WebSocket. Never edited.

export const CLOSINGS = [
  {
    "code": 1001,
    "name": "going_away",
    "again": "yes",
    "meaning": "The server is stopping."
  },
  {
    "code": 4400,
    "name": "bad_frame",
    "again": "no",
    "meaning": "The first frame was no hello: an error frame before it says more."
  },
  {
    "code": 4401,
    "name": "not_authenticated",
    "again": "no",
    "meaning": "The credential does not count any more, or never did."
  },
  {
    "code": 4408,
    "name": "silent",
    "again": "yes",
    "meaning": "Nothing was heard of the client for a minute, or it did not read what it had asked for."
  },
  {
    "code": 4409,
    "name": "idle",
    "again": "when_needed",
    "meaning": "The client followed nothing for a while."
  },
  {
    "code": 4426,
    "name": "protocol_mismatch",
    "again": "no",
    "meaning": "The two sides speak protocols that are too far apart."
  },
  {
    "code": 4429,
    "name": "limit_reached",
    "again": "yes",
    "meaning": "The owner has as many lines open as the site allows: an error frame before it says how many."
  },
  {
    "code": 4503,
    "name": "unavailable",
    "again": "yes",
    "meaning": "Nobody could say any more whether the caller has their rights."
  }
] as const;
