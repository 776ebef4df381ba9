"""The demo model: SmolLM2-135M in a llama.cpp server, which runs in a child process.

A child, because native code that crashes must not take Jupyter along, and because the library's
100 MB are then loaded only where somebody chooses the model.

    endpoint    LocalModelEndpoint: starts the child when its address is asked for
    process     one child: start it, see whether it lives, stop it
    child       what runs in the child; the only module that imports xllamacpp
    weights     where the model's file is, and how it is fetched
    threads     how many threads the machine can spare
"""

from __future__ import annotations

from bestchat_server_ext.adapters.local_model.endpoint import MODEL_FACTS, LocalModelEndpoint

__all__ = ["MODEL_FACTS", "LocalModelEndpoint"]
