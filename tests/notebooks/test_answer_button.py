"""The Stop button under an answer, pressed while the cell runs, in a real kernel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipykernel
import pytest

if TYPE_CHECKING:
    from tests.notebooks.conftest import Kernel, Ran, Running

VIEW = "application/vnd.jupyter.widget-view+json"


def outputs(ran: Ran) -> list[dict[str, Any]]:
    """What a notebook has in the cell after all that was sent."""
    kept: list[dict[str, Any]] = []
    clearing = False
    for message in ran.messages:
        content = message["content"]
        kind = message["msg_type"]
        if kind == "clear_output":
            clearing = content["wait"]
            if not clearing:
                kept.clear()
        if kind not in {"stream", "display_data", "update_display_data", "error"}:
            continue
        if clearing and kind != "update_display_data":
            kept, clearing = [], False
        key = (content.get("transient") or {}).get("display_id")
        if kind == "update_display_data":
            for output in kept:
                if output["key"] == key:
                    output["content"] = content
        elif kind == "stream" and kept and kept[-1]["kind"] == "stream":
            text = kept[-1]["content"]["text"] + content["text"]
            kept[-1]["content"] = {**content, "text": text}
        else:
            kept.append({"kind": kind, "key": key, "content": content})
    return kept


def bare(ran: Ran) -> list[tuple[str, object]]:
    """Outputs without ids."""
    return [(it["kind"], it["content"].get("data") or it["content"]) for it in outputs(ran)]


def button(ran: Ran) -> str | None:
    """The id of the button that is there, once it is."""
    views = [shown.content["data"].get(VIEW) for shown in ran.shown]
    found = [view["model_id"] for view in views if view is not None]
    return found[0] if found else None


def subshell(kernel: Kernel) -> str:
    """A subshell, as JupyterLab makes one for widgets."""
    client = kernel.client
    message = client.session.msg("create_subshell_request", {})
    client.control_channel.send(message)
    reply = client.get_control_msg(timeout=10)
    return str(reply["content"]["subshell_id"])


def main_shell(_: Kernel) -> None:
    """No subshell: where every message goes that names none."""


WAYS = [main_shell, *([subshell] if ipykernel.version_info >= (7,) else [])]
"""The ways on which this ipykernel takes messages; 6 has no subshells."""


def said_to(kernel: Kernel, key: str | None, content: object) -> dict[str, Any]:
    """A message to a widget."""
    data = {"method": "custom", "content": content}
    message: dict[str, Any] = kernel.client.session.msg("comm_msg", {"comm_id": key, "data": data})
    return message


def press(kernel: Kernel, running: Running, subshell_id: str | None = None) -> None:
    """Click on the button of the cell that runs."""
    key = button(running.until(lambda ran: button(ran) is not None))
    message = said_to(kernel, key, {"event": "click"})
    if subshell_id is not None:
        message["header"]["subshell_id"] = subshell_id
    kernel.client.shell_channel.send(message)


def stopped(kernel: Kernel, running: Running, subshell_id: str | None = None) -> Ran:
    running.until(lambda ran: any("text/markdown" in it.content["data"] for it in ran.shown))
    press(kernel, running, subshell_id)
    begun = time.monotonic()
    ran = running.end()
    assert time.monotonic() - begun < 1
    assert kernel.turn()["state"] == "cancelled"
    assert kernel.said() == [("user", "hang on"), ("assistant", "This much had arrived")]
    return ran


def test_a_click_ends_the_turn_while_the_cell_runs(kernel: Kernel) -> None:
    ran = stopped(kernel, kernel.begin("%%chat\nhang on", "a", attended=True))
    assert ran.error["evalue"] == "Stopped. What had arrived is kept."
    # Nothing is left of the button.
    (answer, error) = outputs(ran)
    assert answer["content"]["data"]["text/plain"] == (
        "This much had arrived\n\n— scripted/magics · script · stopped"
    )
    assert error["kind"] == "error"
    assert kernel.ask("%%chat\ncount", "b") == "messages: 3"


def test_what_no_page_says_ends_no_cell(kernel: Kernel) -> None:
    running = kernel.begin("%%chat\nhang on", "a", attended=True)
    key = button(running.until(lambda ran: button(ran) is not None))
    kernel.client.shell_channel.send(said_to(kernel, key, 5))
    ran = stopped(kernel, running)
    assert ran.error["evalue"] == "Stopped. What had arrived is kept."


@pytest.mark.parametrize("reach", WAYS)
def test_a_click_is_heard_whichever_way_it_comes(
    kernel: Kernel, reach: Callable[[Kernel], str | None]
) -> None:
    running = kernel.begin("%%chat\nhang on", "a", attended=True)
    ran = stopped(kernel, running, reach(kernel))
    assert ran.error["evalue"] == "Stopped. What had arrived is kept."


def test_a_cell_leaves_the_same_with_the_button_and_without(kernel: Kernel) -> None:
    with_it = kernel.begin("%%chat\nwait a second", "a", attended=True).end()
    assert button(with_it) is not None
    assert "clear_output" in [message["msg_type"] for message in with_it.messages]
    without = kernel.run("%%chat\nwait a second", "a")
    assert button(without) is None
    assert bare(with_it) == bare(without)
    assert [kind for kind, _ in bare(with_it)] == ["display_data"]
    kernel.run("from ipywidgets.widgets import widget")
    assert kernel.run("len(widget._instances)").value == "0"


def test_notes_stay_where_they_were(kernel: Kernel) -> None:
    code = "%%chat --new\nwait a second for @nobody here"
    with_it = kernel.begin(code, "a", attended=True).end()
    assert button(with_it) is not None
    assert bare(with_it) == bare(kernel.run(code, "a"))
    assert [kind for kind, _ in bare(with_it)] == ["stream", "display_data"]


@pytest.mark.parametrize(
    "code",
    [
        "print('mine')\nget_ipython().run_cell_magic('chat', '', 'wait a second')",
        "%%chat\nwait a second {{ print('mine') }}",
        "print('mine')\n%chat ask wait a second",
    ],
)
def test_there_is_none_where_it_would_take_other_outputs_along(kernel: Kernel, code: str) -> None:
    ran = kernel.begin(code, "a", attended=True).end()
    assert ran.ok
    assert ran.stdout.startswith("mine\n")
    assert button(ran) is None


def test_a_short_answer_has_none(kernel: Kernel) -> None:
    kernel.run("%%chat\nwarm up")
    ran = kernel.begin("%%chat\nhello", "a", attended=True).end()
    assert ran.ok
    assert button(ran) is None


def test_a_quiet_cell_can_be_stopped_and_shows_nothing(kernel: Kernel) -> None:
    ran = kernel.begin("%%chat --quiet\nwait a second", "a", attended=True).end()
    assert button(ran) is not None
    assert outputs(ran) == []


def test_what_others_are_told_meanwhile_waits_for_its_turn(kernel: Kernel) -> None:
    kernel.run("from ipywidgets import Button\nmine = Button()\nheard = []\n"
               "mine.on_click(lambda _: heard.append(get_ipython().execution_count))")
    key = kernel.run("mine.model_id").value.strip("'")
    running = kernel.begin("%%chat\nwait a second", "a", attended=True)
    running.until(lambda ran: button(ran) is not None)
    data = {"method": "custom", "content": {"event": "click"}}
    kernel.client.shell_channel.send(
        kernel.client.session.msg("comm_msg", {"comm_id": key, "data": data})
    )
    assert running.end().ok
    assert kernel.run("len(heard)").value == "1"
