"""How fast the panel is in a browser: ready, streaming, long conversations.

Prints figures; asserts nothing. Run with `make bench`, on an idle machine; `--short` is for CI.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from bestchat_server_ext.testing.script import Action, Say, Wait  # noqa: E402
from tests.ui.conftest import TOKEN, Lab, Panel  # noqa: E402  the path comes first

PER_SECOND = 50
"""Deltas."""

LONG_TASK = 50
"""Milliseconds from which on a page is felt to stand still."""

ANSWER = """\
The growth of a month is $g_t = \\frac{{s_t - s_{{t-1}}}}{{s_{{t-1}}}}$, see **{number}**:

| month | amount | growth |
|---|---:|---:|
| Sep | 120 | |
| Oct | 135 | 12.5 % |

```python
def growth(sales):
    return (sales["amount"].pct_change() * 100).round({number})
```

- The first month has *none*, as there is nothing before it.
- A gap in the months gives a wrong figure.
"""

READY = """
const seen = {};
window.bench = seen;
new MutationObserver((_, observer) => {
    if (document.querySelector("#bestchat-panel .jp-BestChat-composer textarea") !== null) {
        seen.panel = performance.now();
        observer.disconnect();
    }
}).observe(document, { childList: true, subtree: true });
const wait = setInterval(() => {
    if (window.jupyterapp !== undefined) {
        clearInterval(wait);
        window.jupyterapp.restored.then(() => { seen.lab = performance.now(); });
    }
}, 1);
"""
"""Notes when JupyterLab is ready, and when the panel can be written in."""

WATCH = """
() => {
    const seen = { tasks: [], frames: [], running: true };
    window.bench = seen;
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) seen.tasks.push(entry.duration);
    }).observe({ type: "longtask" });
    let before = performance.now();
    const frame = now => {
        seen.frames.push(now - before);
        before = now;
        if (seen.running) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}
"""
"""Notes long tasks, and how far frames are apart."""

ENDED = """
() => [...document.querySelectorAll("#bestchat-panel .jp-BestChat-answer")].at(-1)?.dataset
    .turnState === "finished"
"""

OPEN = """
async title => {
    const begun = performance.now();
    for (const item of document.querySelectorAll("#bestchat-panel .jp-BestChat-listButton")) {
        if (item.textContent.includes(title)) item.click();
    }
    const shown = () => {
        const last = [...document.querySelectorAll("#bestchat-panel .jp-BestChat-answer")].at(-1);
        return last?.querySelector("table") != null && last.querySelector("pre") !== null;
    };
    while (!shown()) await new Promise(requestAnimationFrame);
    return performance.now() - begun;
}
"""
"""Opens a conversation; gives the milliseconds until its end is shown."""

SCROLL = """
async ([step, frames]) => {
    const scroller = document.querySelector("#bestchat-panel .jp-BestChat-scroller");
    for (let done = 0; done < frames; done += 1) {
        scroller.scrollBy(0, step);
        await new Promise(requestAnimationFrame);
    }
    return scroller.scrollTop;
}
"""
"""Scrolls a piece with each frame, as a wheel does that is turned steadily."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def a_lab() -> Iterator[Lab]:
    """A JupyterLab of its own."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), free_port(), BESTCHAT_DEFAULT_MODEL="scripted/echo")
        try:
            lab.wait()
            yield lab
        finally:
            lab.kill()


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def bundle() -> None:
    """Kilobytes that a browser loads, compressed."""
    files = (ROOT / "labextension" / "dist" / "static").glob("*.js")
    size = sum(len(gzip.compress(file.read_bytes())) for file in files)
    print(f"bundle, gzipped: {size / 1000:.0f} KB")


def ready(browser: Browser, lab: Lab, runs: int) -> None:
    """Milliseconds from JupyterLab's readiness to the panel's."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    Panel(context.new_page()).open(lab.page())  # from now on the layout has it
    lags = []
    for _ in range(runs):
        page = context.new_page()
        page.add_init_script(READY)
        page.goto(lab.page())
        page.wait_for_function("() => window.bench.lab && window.bench.panel", timeout=60_000)
        lags.append(page.evaluate("() => window.bench.panel - window.bench.lab"))
        page.close()
    context.close()
    print(f"panel ready after JupyterLab: {median(lags):.0f} ms, at most {max(lags):.0f} ms")


def told(page: Page, what: str) -> None:
    """Print what a page has noted."""
    seen: dict[str, Any] = page.evaluate(
        "() => { window.bench.running = false; return window.bench }"
    )
    tasks, frames = seen["tasks"], sorted(seen["frames"])
    seconds = sum(frames) / 1000
    late = frames[int(len(frames) * 0.99)]
    print(
        f"{what}: {sum(task > LONG_TASK for task in tasks)} long tasks, the longest "
        f"{max(tasks, default=0):.0f} ms; {len(frames) / seconds:.0f} frames/s, "
        f"99 % within {late:.0f} ms"
    )


def streaming(browser: Browser, lab: Lab, seconds: int) -> None:
    """Long tasks while an answer comes."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    panel = Panel(page)
    text = "\n".join(ANSWER.format(number=number) for number in range(200))
    count = PER_SECOND * seconds
    pieces = [text[at * 20 : at * 20 + 20] or "and so on. " for at in range(count)]
    steps: list[Action] = []
    for piece in pieces:
        steps += [Say(piece, 100), Wait(1 / PER_SECOND)]
    panel.open(lab.page())
    panel.choose(lab.script("stream", tuple(steps)))
    panel.ask("Go on.")
    panel.answers.last.get_by_role("table").first.wait_for()
    page.evaluate(WATCH)
    # Not by `expect`: what it looks at each time costs more than what is measured here.
    page.wait_for_function(ENDED, polling=1000, timeout=seconds * 3000)
    told(page, f"{PER_SECOND} deltas/s for {seconds} s")
    page.close()


def long_one(browser: Browser, lab: Lab, messages: int) -> None:
    """Milliseconds to open a long conversation, and frames while it is scrolled."""
    chat = {
        "messages": [
            {
                "id": str(number),
                "type": "msg",
                "time": 1_700_000_000 + number,
                "sender": "bot" if number % 2 else "ada",
                "body": ANSWER.format(number=number) if number % 2 else f"Question {number}?",
            }
            for number in range(messages)
        ],
        "users": {
            "ada": {"username": "ada", "name": "Ada"},
            "bot": {"username": "bot", "name": "Bot", "bot": True},
        },
    }
    body = {"content": json.dumps(chat), "format": "jupyter-ai", "title": "The long one"}
    request = Request(
        f"{lab.url}bestchat/api/conversations.import",
        json.dumps(body).encode(),
        {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    urlopen(request).close()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    panel = Panel(page)
    panel.open(lab.page())
    panel.button("Conversations").click()
    panel.root.get_by_role("listitem").filter(has_text="The long one").wait_for()
    taken = page.evaluate(OPEN, "The long one")
    print(f"{messages} messages opened: {taken:.0f} ms")
    page.evaluate(WATCH)
    page.evaluate(SCROLL, [-60, 300])
    told(page, f"{messages} messages scrolled up, 60 pixels a frame")
    page.evaluate(WATCH)
    page.evaluate(SCROLL, [60, 200])
    told(page, f"{messages} messages scrolled down again")
    page.close()


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a quick look, for CI")
    short = parser.parse_args().short
    bundle()
    with a_lab() as lab, a_browser() as browser:
        ready(browser, lab, 2 if short else 7)
        streaming(browser, lab, 5 if short else 60)
        long_one(browser, lab, 200 if short else 2000)


if __name__ == "__main__":
    main()
