from __future__ import annotations

import json
from collections.abc import Mapping
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

from bestchat_kernel.listening import Listening


class Frame:
    def __init__(self, content: object) -> None:
        self.bytes = json.dumps(content).encode()


class Session:
    """As much of a session of jupyter_client as is needed: nothing is opened for good."""

    def feed_identities(
        self, frames: list[Frame], *, copy: bool
    ) -> tuple[list[bytes], list[Frame]]:
        assert not copy
        return [], frames

    def unpack(self, data: bytes) -> Any:
        return json.loads(data)


class Kernel:
    """The queue of ipykernel 6."""

    def __init__(self) -> None:
        self.session = Session()
        self.msg_queue: SimpleQueue[Any] = SimpleQueue()
        self.shell_stream = SimpleNamespace(flush=lambda: None)
        self.number = 0

    def dispatch_shell(self) -> None:
        """Stands for itself."""

    def receive(self, kind: str, **content: object) -> None:
        frames = [Frame(""), Frame({"msg_type": kind}), Frame({}), Frame({}), Frame(content)]
        self.msg_queue.put_nowait((self.number, self.dispatch_shell, (frames,)))
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
    assert heard == [{"n": 1}, {}]
