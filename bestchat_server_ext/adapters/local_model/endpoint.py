"""LocalModelEndpoint: starts the child when its address is asked for."""

from __future__ import annotations

import asyncio
import threading
from importlib.util import find_spec
from pathlib import Path

from msgspec.structs import replace

from bestchat_server_ext.adapters.local_model import weights
from bestchat_server_ext.adapters.local_model.process import Child
from bestchat_server_ext.adapters.local_model.threads import thread_count
from bestchat_server_ext.core.errors import ModelNotFound, NotInstalled, Unavailable
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import ModelFacts
from bestchat_server_ext.ports.endpoint import Address

WINDOW = 4096
"""Tokens; the model could take twice as many, for 90 MB more of memory."""
LIMIT = 512
"""Tokens of one answer: so small a model easily falls into a loop."""
MODEL_FACTS = ModelFacts(
    f"local/{weights.NAME}",
    label="demo model",
    window=WINDOW,
    output_limit=LIMIT,
    tools=False,  # its template drops them without a word
)
"""What is known of the model, once everything is there that it needs."""
_INSTALL = "pip install 'bestchat[local]'"
_FETCH = f"bestchat models add {weights.NAME}"


class LocalModelEndpoint:
    """The demo model's server: started on first use, and again should it have died."""

    def __init__(self, data_dir: Path, *, threads: int | None = None) -> None:
        """Know where the model's file is; nothing starts yet.

        Args:
            data_dir: BestChat's folder.
            threads: how many to compute with; what the machine can spare, if none.
        """
        self._data_dir = data_dir
        self._threads = threads
        self._starting = threading.Lock()
        self._child: Child | None = None
        self._address: Address | None = None
        self._closed = False

    def catalog(self) -> tuple[ModelFacts, ...]:
        """The one model there is, and what is missing before it can be used."""
        todo = []
        if find_spec("xllamacpp") is None:
            todo.append(_INSTALL)
        if weights.find(self._data_dir) is None:
            todo.append(_FETCH)
        if not todo:
            return (MODEL_FACTS,)
        return (replace(MODEL_FACTS, ready=False, todo=f"Run: {' && '.join(todo)}"),)

    @property
    def pid(self) -> int | None:
        """Number of the child process, if one was started."""
        return None if self._child is None else self._child.pid

    async def address(self, owner: OwnerId | None = None) -> Address:  # noqa: ARG002  all share it
        """Where the server is; starts it first if need be.

        Raises:
            NotInstalled: the library is missing.
            ModelNotFound: the model's file is missing.
            Unavailable: the server did not start.
        """
        if self._address is not None and self._child is not None and self._child.alive:
            return self._address
        return await asyncio.to_thread(self._start)

    async def renewed(
        self,
        refused: Address,  # noqa: ARG002  it was made here
        owner: OwnerId | None = None,  # noqa: ARG002  likewise
    ) -> Address | None:
        """None: whoever has the address has the right key."""
        return None

    async def close(self) -> None:
        """Stop the child, within two seconds; nothing starts any more."""
        self._closed = True
        if self._child is not None:
            await asyncio.to_thread(self._child.stop)

    def _start(self) -> Address:
        with self._starting:
            if self._address is not None and self._child is not None:
                if self._child.alive:
                    return self._address
                self._child.stop()
            path = self._require()
            self._address = None
            try:
                self._child = child = Child()
            except OSError as error:
                raise Unavailable(
                    f"The demo model did not start: {error.strerror}.",
                    hint="See whether this machine has run out of memory or of processes.",
                ) from error
            address = child.serve(
                path,
                threads=self._threads or thread_count(),
                window=WINDOW,
                limit=LIMIT,
                alias=weights.NAME,
            )
            if self._closed:  # since before there was a child to be stopped, or just now
                child.stop()
                raise Unavailable("BestChat is shutting down.", hint="Start it again.")
            self._address = address
            return address

    def _require(self) -> Path:
        """The model's file, once everything is there that is needed."""
        if self._closed:
            raise Unavailable("BestChat is shutting down.", hint="Start it again.")
        if find_spec("xllamacpp") is None:
            raise NotInstalled(
                "The library that runs the demo model is not installed.",
                hint=f"Run: {_INSTALL}",
            )
        path = weights.find(self._data_dir)
        if path is None:
            raise ModelNotFound("The demo model has not been fetched yet.", hint=f"Run: {_FETCH}")
        return path
