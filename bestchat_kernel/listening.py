"""What widgets say while a cell runs.

A kernel does one thing at a time: what a front end says to a widget waits for the end of the cell,
unless somebody takes it in. Each generation of ipykernel has a way of its own:

- ipykernel 6 puts messages into a queue, in which the running cell looks for those that are for us.
- ipykernel 7 has subshells, and JupyterLab uses them for widgets: they are heard in another thread.
- ipykernel 7.4 asks a comm where its messages go. That is when they are heard, so that front ends
  that use no subshells are heard as well.

None of it is public, so that each is used only where it is found. Where none is, messages are
heard when the cell is over. Only what is said to BestChat's own widgets is heard early: nothing of
the user's runs in the middle of a cell. Whatever is heard early comes once more in its turn, so
that the front end learns that it has arrived.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

Hear = Callable[[Mapping[str, Any]], None]
"""Takes the data of a message. In any thread, and more than once: it returns at once."""


class Listening:
    """Hears what comes for some comms as early as a kernel allows."""

    def __init__(self) -> None:
        """Listen to none yet."""
        self._hear: dict[str, Hear] = {}
        self._seen = -1

    def begin(self, comm: Any, hear: Hear) -> None:  # noqa: ANN401  ipykernel ships no types
        """Listen to a comm from now on."""
        self._hear[comm.comm_id] = hear
        if not hasattr(comm, "_reply_subshell_for"):
            return

        def stay(data: object, subshell: str | None) -> str | None:
            if isinstance(data, Mapping):
                hear(data)
            return subshell

        comm._reply_subshell_for = stay  # noqa: SLF001  see above

    def end(self, comm_id: str) -> None:
        """Listen to a comm no more."""
        self._hear.pop(comm_id, None)

    def look(self, kernel: Any) -> None:  # noqa: ANN401  likewise
        """Hear what waits in the queue of a kernel; a cell that waits calls it now and then."""
        queue = getattr(kernel, "msg_queue", None)
        if queue is None or not self._hear:
            return
        kernel.shell_stream.flush()
        for item in [queue.get_nowait() for _ in range(queue.qsize())]:
            queue.put_nowait(item)
            number, dispatch, arguments = item
            if number > self._seen and dispatch == kernel.dispatch_shell:
                self._seen = number
                self._take(kernel.session, *arguments)

    def _take(self, session: Any, frames: list[Any]) -> None:  # noqa: ANN401  likewise
        """Hear a message if it is for us."""
        match _opened(session, frames):
            case {"comm_id": str(comm_id), "data": Mapping() as data}:
                if hear := self._hear.get(comm_id):
                    hear(data)


def _opened(session: Any, frames: list[Any]) -> Any:  # noqa: ANN401  likewise
    """What a message says to a comm; nothing if it is of another kind, or not one of Jupyter's.

    It is not opened for good, which the session does only once. So its signature is compared here:
    a kernel's ports are open to everybody on the machine.
    """
    try:
        _, (signature, *rest) = session.feed_identities(frames, copy=False)
        header, parent, metadata, content = (frame.bytes for frame in rest[:4])
        signed = session.sign([header, parent, metadata, content])
        if session.auth is not None and not hmac.compare_digest(signature.bytes, signed):
            return None
        match session.unpack(header):
            case {"msg_type": "comm_msg"}:
                return session.unpack(content)
    except (ValueError, RecursionError):  # too few frames, no JSON, too deep: the kernel reports it
        pass
    return None


listening = Listening()
"""Of this process, which has one kernel."""
