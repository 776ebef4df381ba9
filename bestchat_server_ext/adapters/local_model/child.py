"""What runs in the child process: llama.cpp's own HTTP server, on this machine only.

Standard input brings one line of JSON, `{"weights", "key", "threads", "window", "limit", "alias"}`;
standard output gives one back, `{"url"}`, as soon as the server answers. Then the process waits
for its standard input to be closed, which happens when its owner closes it or dies, however.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

_LOOK_SECONDS = 2.0


def main() -> None:
    """Serve until the owner is gone."""
    # An interrupted kernel passes the interrupt on to its whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_when_orphaned, args=(os.getppid(),), daemon=True).start()
    server = _serve(json.loads(sys.stdin.readline()))
    sys.stdout.write(json.dumps({"url": server.listening_address}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    # The server's own way out waits for answers that nobody will read.
    os._exit(0)


def _leave_when_orphaned(owner: int) -> None:
    """Standard input stays open while a fork of the owner lives; the owner itself may be dead."""
    while os.getppid() == owner:
        time.sleep(_LOOK_SECONDS)
    os._exit(0)


def _serve(options: dict[str, Any]) -> Any:  # noqa: ANN401  xllamacpp ships no types
    import xllamacpp

    library: Any = xllamacpp  # its types cannot be seen from outside
    params = library.CommonParams()
    params.model.path = options["weights"]
    params.model_alias = {options["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [options["key"]]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.cpuparams.n_threads = options["threads"]
    params.cpuparams_batch.n_threads = options["threads"]
    params.n_threads_http = 4
    params.n_parallel = 1
    params.n_ctx = options["window"]
    params.n_predict = options["limit"]
    params.cache_ram_mib = 0  # else up to 8 GB of former prompts are kept
    params.verbosity = 1  # errors only; nothing that is said is ever logged
    return library.Server(params)


if __name__ == "__main__":
    main()
