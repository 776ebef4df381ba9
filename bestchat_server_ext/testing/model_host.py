"""A host of models on this machine for tests: it speaks OpenAI's format and Ollama's.

::

    with serving(ModelHost(key="sk-test", models={"small": 8192})) as host:
        ...                     # ask, with CUSTOM_BASE_URL=f"{host.url}/v1"
        (asked,) = host.asked   # what it was asked

It runs in a thread of its own, so that whoever tests need not be asynchronous.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelHost(ThreadingHTTPServer):
    """A host of models."""

    daemon_threads = True

    def __init__(self, key: str = "", models: dict[str, int] | None = None) -> None:
        """Take a key, if there is one; `models` gives the window of each of Ollama's models."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = key
        self.models = {} if models is None else models
        self.tokens = (1200, 34)
        """What an answer takes, in and out."""
        self.asked: list[dict[str, Any]] = []
        """The requests for answers."""

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(host: ModelHost) -> Iterator[ModelHost]:
    """Let a host answer for as long as it is needed."""
    thread = threading.Thread(target=host.serve_forever, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.shutdown()
        host.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ModelHost
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nobody reads that."""

    def do_GET(self) -> None:
        models = self.server.models
        if self.path.endswith("/models"):
            self._say({"data": [{"id": name, "object": "model"} for name in models]})
        elif self.path == "/api/version":
            self._say({"version": "0.9.0"})
        elif self.path == "/api/tags":
            can = {"capabilities": ["completion", "tools"]}
            details = [
                {"name": name, "model": name, "details": {"context_length": window}} | can
                for name, window in models.items()
            ]
            self._say({"models": details})
        else:
            self._say({"error": "There is nothing here."}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        keys = (self.headers.get("Authorization", ""), self.headers.get("api-key", ""))
        if self.server.key and not any(key.endswith(self.server.key) for key in keys):
            self._say({"error": {"message": "Incorrect API key provided.", "type": "auth"}}, 401)
        elif self.path == "/api/show":
            window = self.server.models.get(body["model"], 0)
            self._say({"model_info": {"test.context_length": window}, "capabilities": ["tools"]})
        elif self.path == "/api/chat":
            self.server.asked.append(body)
            self._say_lines(*self._ollama_lines(body["model"]))
        elif self.path.endswith("/chat/completions"):
            self.server.asked.append(body)
            self._say_lines(*self._openai_lines(), kind="text/event-stream")
        else:
            self._say({"error": "There is nothing here."}, 404)

    def _ollama_lines(self, model: str) -> Iterator[str]:
        message = {"role": "assistant", "content": "Hello from Ollama."}
        yield json.dumps({"model": model, "message": message, "done": False}) + "\n"
        sums = {"prompt_eval_count": self.server.tokens[0], "eval_count": self.server.tokens[1]}
        end = {"model": model, "message": {"role": "assistant", "content": ""}, "done": True}
        yield json.dumps(end | {"done_reason": "stop"} | sums) + "\n"

    def _openai_lines(self) -> Iterator[str]:
        begun = {"delta": {"role": "assistant", "content": "Hello from the host."}, "index": 0}
        end = {"delta": {}, "index": 0, "finish_reason": "stop"}
        into, out = self.server.tokens
        usage = {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}
        for chunk in ({"choices": [begun]}, {"choices": [end]}, {"choices": [], "usage": usage}):
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"

    def _say(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _say_lines(self, *lines: str, kind: str = "application/x-ndjson") -> None:
        body = "".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
