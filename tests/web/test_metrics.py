"""Inside Jupyter: its `/metrics` shows ours, and its log has our lines."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


async def shown(site: Any) -> dict[str, float]:
    """All samples of ours, by name and labels."""
    answer = await site.ask("GET", "metrics")
    assert answer.status == 200
    return {
        sample.name + "".join(f" {name}={text}" for name, text in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("bestchat_")
    }


async def until(site: Any, true: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Look again until something is true: the server learns of it in its own time."""
    async with asyncio.timeout(20):
        while not true(samples := await shown(site)):
            pass
    return samples


async def finish_turn(site: Any, line: Any, text: str) -> str:
    conversation = await site.begin()
    await line.say(type="subscribe", conversation_id=conversation, after=0)
    body = {"conversation_id": conversation, "text": text, "request_id": conversation}
    assert (await site.call("turns.start", body)).status == 200
    while True:
        frame = await line.hear()
        if frame.get("event", {}).get("type") == "turn_finished":
            return str(conversation)


async def test_jupyter_shows_our_metrics(inside: Any) -> None:
    before = await shown(inside)
    line = await inside.connect()
    await line.greet()
    assert (await shown(inside))["bestchat_sockets"] == before["bestchat_sockets"] + 1
    conversation = await finish_turn(inside, line, "canary")
    after = await until(inside, lambda samples: not samples["bestchat_turns_running"])
    for name in (
        "bestchat_turns_total state=finished",
        "bestchat_first_delta_seconds_count provider=scripted",
        "bestchat_step_seconds_count provider=scripted",
    ):
        assert after[name] == before.get(name, 0) + 1
    assert after["bestchat_tokens_total kind=output provider=scripted"] > 0
    assert after["bestchat_queue_length queue=bus"] == 0
    assert "bestchat_event_loop_lag_seconds_count" in after
    text = " ".join(after)
    assert "canary" not in text
    assert conversation not in text
    assert "echo" not in text


async def test_sockets_that_close_are_counted_down(inside: Any) -> None:
    line = await inside.connect()
    await line.greet()
    opened = (await shown(inside))["bestchat_sockets"]
    await line.socket.close()
    await until(inside, lambda samples: samples["bestchat_sockets"] == opened - 1)


async def test_jupyters_log_has_a_line_for_each_turn(inside: Any, jupyter: Any) -> None:
    line = await inside.connect()
    await line.greet()
    conversation = await finish_turn(inside, line, "canary")
    name = f"conversation={conversation}"
    await until(inside, lambda _: any(name in text for text in list(jupyter.log)))
    lines = [text for text in jupyter.log if name in text]
    assert len(lines) == 1
    assert re.match(
        r"\[I [-0-9]+ [:.0-9]+ bestchat_server_ext\.turns\] turn ended state=finished "
        r"model=scripted/echo steps=1 seconds=[.\d]+ first_delta_ms=\d+ input_tokens=\d+ "
        r"output_tokens=\d+ tools=0 conversation=\S+ turn=\S+\n$",
        lines[0],
    )
    assert "canary" not in "".join(jupyter.log)
