from __future__ import annotations

from collections.abc import Mapping
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from jupyter_client.session import DELIM, Session

from bestchat_kernel.listening import Listening

KEY = b"the kernel's own"


class Kernel:
    """The queue of ipykernel 6."""

    def __init__(self) -> None:
        self.session = Session(key=KEY)
        self.msg_queue: SimpleQueue[Any] = SimpleQueue()
        self.shell_stream = SimpleNamespace(flush=lambda: None)
        self.number = 0

    def dispatch_shell(self) -> None:
        """Stands for itself."""

    def receive(self, kind: str, session: Session | None = None, **content: object) -> None:
        """Take a message from whoever has a session: from one that has the key, if not said."""
        session = session or Session(key=KEY)
        self.receive_frames(session.serialize(session.msg(kind, dict(content))))

    def receive_frames(self, frames: list[bytes]) -> None:
        arguments = ([zmq.Frame(it) for it in frames],)
        self.msg_queue.put_nowait((self.number, self.dispatch_shell, arguments))
        self.number += 1


def heard_from(kernel: Kernel, comm_id: str = "ours") -> tuple[Listening, list[Mapping[str, Any]]]:
    listening, heard = Listening(), list[Mapping[str, Any]]()
    listening.begin(SimpleNamespace(comm_id=comm_id), heard.append)
    return listening, heard


def test_only_what_is_for_us_is_heard_and_all_of_it_stays_in_order() -> None:
    kernel = Kernel()
    listening, heard = heard_from(kernel)
    kernel.receive("execute_request", code="1")
    kernel.receive("comm_msg", comm_id="theirs", data={"n": 1})
    kernel.receive("comm_msg", comm_id="ours", data={"n": 2})
    kernel.receive("comm_close", comm_id="ours", data={"n": 3})
    listening.look(kernel)
    assert heard == [{"n": 2}]
    numbers = [kernel.msg_queue.get_nowait()[0] for _ in range(kernel.msg_queue.qsize())]
    assert numbers == [0, 1, 2, 3]


def test_nothing_is_heard_twice_from_the_queue() -> None:
    kernel = Kernel()
    listening, heard = heard_from(kernel)
    kernel.receive("comm_msg", comm_id="ours", data={"n": 1})
    for _ in range(3):
        listening.look(kernel)
    kernel.receive("comm_msg", comm_id="ours", data={"n": 2})
    listening.look(kernel)
    assert heard == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("key", [b"another one", b""])
def test_who_does_not_have_the_key_is_not_heard(key: bytes) -> None:
    kernel = Kernel()
    listening, heard = heard_from(kernel)
    kernel.receive("comm_msg", Session(key=key), comm_id="ours", data={"n": 1})
    kernel.receive("comm_msg", comm_id="ours", data={"n": 2})
    listening.look(kernel)
    assert heard == [{"n": 2}]


def test_a_kernel_without_a_key_hears_everybody() -> None:
    kernel = Kernel()
    kernel.session = Session(key=b"")
    listening, heard = heard_from(kernel)
    kernel.receive("comm_msg", kernel.session, comm_id="ours", data={"n": 1})
    listening.look(kernel)
    assert heard == [{"n": 1}]


def test_looking_leaves_a_message_to_be_opened_by_the_kernel() -> None:
    kernel = Kernel()
    listening, _ = heard_from(kernel)
    kernel.receive("comm_msg", comm_id="ours", data={"n": 1})
    listening.look(kernel)
    _, frames = kernel.session.feed_identities(kernel.msg_queue.get_nowait()[2][0], copy=False)
    assert kernel.session.deserialize(frames, copy=False)["content"]["data"] == {"n": 1}


def signed(*parts: bytes) -> list[bytes]:
    """Frames of somebody who has the key, whatever they are."""
    return [DELIM, Session(key=KEY).sign(list(parts)), *parts]


@pytest.mark.parametrize(
    "frames",
    [
        [b"junk"],
        [DELIM],
        [DELIM, b"junk"],
        signed(b"{}", b"{}", b"{}"),
        signed(b"junk", b"{}", b"{}", b"{}"),
        signed(b"5", b"{}", b"{}", b"{}"),
        signed(b'{"msg_type": "comm_msg"}', b"{}", b"{}", b"\xff"),
        signed(b'{"msg_type": "comm_msg"}', b"{}", b"{}", b"[" * 100_000),
        signed(b'{"msg_type": "comm_msg"}', b"{}", b"{}", b"5"),
        signed(b'{"msg_type": "comm_msg"}', b"{}", b"{}", b'{"comm_id": ["ours"], "data": {}}'),
        signed(b'{"msg_type": "comm_msg"}', b"{}", b"{}", b'{"comm_id": "ours"}'),
        signed(b'{"msg_type": "comm_msg"}', b"{}", b"{}", b'{"comm_id": "ours", "data": 5}'),
    ],
)
def test_what_is_no_message_ends_no_cell(frames: list[bytes]) -> None:
    kernel = Kernel()
    listening, heard = heard_from(kernel)
    kernel.receive_frames(frames)
    kernel.receive("comm_msg", comm_id="ours", data={"n": 1})
    listening.look(kernel)
    assert heard == [{"n": 1}]


def test_after_the_end_nothing_is_heard() -> None:
    kernel = Kernel()
    listening, heard = heard_from(kernel)
    listening.end("ours")
    kernel.receive("comm_msg", comm_id="ours", data={"n": 1})
    listening.look(kernel)
    assert heard == []


def test_a_kernel_without_such_a_queue_is_left_alone() -> None:
    listening, heard = heard_from(Kernel())
    listening.look(SimpleNamespace())
    listening.look(None)
    assert heard == []


def test_a_comm_that_says_where_messages_go_is_heard_then_and_they_go_where_they_went() -> None:
    heard: list[Mapping[str, Any]] = []
    comm = SimpleNamespace(comm_id="ours", _reply_subshell_for=lambda _, shell: f"not {shell}")
    Listening().begin(comm, heard.append)
    assert comm._reply_subshell_for({"n": 1}, "sub") == "sub"
    assert comm._reply_subshell_for(None, None) is None
    assert comm._reply_subshell_for(5, "sub") == "sub"
    assert heard == [{"n": 1}]
