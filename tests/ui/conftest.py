"""JupyterLab in Debian's Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    BrowserContext,
    Locator,
    Page,
    WebError,
    expect,
)
from playwright.sync_api import TimeoutError as LateError

from bestchat_server_ext.adapters.local_model import weights
from bestchat_server_ext.testing.script import Action, Echo, Script, ScriptTurn, write

ROOT = Path(__file__).parents[2]
TOKEN = "secret"

# Deadlines are there for what hangs. On a machine that has more to do than this, JupyterLab alone
# may take most of a minute to start.
expect.set_options(timeout=30_000)
PATIENCE = 300
"""Seconds for one test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests more time than others have."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(PATIENCE), append=False)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is missing: run scripts/ensure chromium"
    return {
        "executable_path": chromium,
        "args": ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"],
    }


@pytest.fixture(scope="session")
def model_weights() -> Path:
    """The weights of the demo model, brought once to this machine."""
    cache = Path(os.environ.get("BESTCHAT_TEST_MODELS", Path.home() / ".cache" / "bestchat-test"))
    return weights.install(cache, lambda _done, _total: None)


class Lab:
    """A JupyterLab in a process of its own, with a home of its own."""

    def __init__(
        self, folder: Path, port: int, *arguments: str, base_url: str = "/", **environ: str
    ) -> None:
        """Start it on copies of the project's notebooks; `environ` goes on top of its own."""
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}{base_url}"
        self.scripts = folder / "scripts"
        self.notebooks = folder / "notebooks"
        shutil.copytree(ROOT / "notebooks", self.notebooks)
        self.script("echo", (Echo(),))
        settings = folder / "config/lab/user-settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        # The news toast covers what a test wants to click on, and would ask the network.
        (settings / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8"
        )
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        self._environ = kept | {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "IPYTHONDIR": str(folder / "ipython"),
            "BESTCHAT_DATA_DIR": str(folder / "bestchat"),
            "BESTCHAT_SCRIPTS_DIR": str(self.scripts),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            **environ,
        }
        self._command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser"]
        self._command += [f"--port={port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1"]
        self._command += [f"--IdentityProvider.token={TOKEN}"]
        self._command += [f"--ServerApp.root_dir={self.notebooks}"]
        self._command += [f"--ServerApp.base_url={base_url}"]
        self._command += ["--LabApp.expose_app_in_browser=True"]
        self._command += ["--JupyterNotebookApp.expose_app_in_browser=True", *arguments]
        self.start()

    def start(self) -> None:
        """Start it, again perhaps."""
        with (self.folder / "lab.log").open("ab") as log:
            self.process = subprocess.Popen(  # some extensions write into where they are started
                self._command, env=self._environ, cwd=self.folder, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def script(self, name: str, *steps: tuple[Action, ...], chunk: int = 12) -> str:
        """Write a script of one turn; gives its model reference."""
        write(Script((ScriptTurn(steps),), chunk), self.scripts / f"{name}.json")
        return f"scripted/{name}"

    def page(self, path: str = "lab") -> str:
        """The address of a page, token included."""
        return f"{self.url}{path}?token={TOKEN}"

    def wait(self, seconds: float = 120) -> None:
        """Wait until it takes requests."""
        until = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(f"{self.url}api", timeout=5).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    log = (self.folder / "lab.log").read_text(encoding="utf-8")
                    pytest.fail(f"JupyterLab does not take requests. Its log:\n{log[-4000:]}")
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """End it in good order."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:  # Jupyter loses a SIGTERM that comes while it logs
            self.kill()


@pytest.fixture(scope="session")
def labs() -> list[Lab]:
    """All JupyterLabs that were started."""
    return []


@pytest.fixture(autouse=True)
def no_layout_of_another_test(labs: list[Lab]) -> None:
    """JupyterLab opens again what was open: a command would go to a notebook of another test."""
    for lab in labs:
        shutil.rmtree(lab.folder / "config/lab/workspaces", ignore_errors=True)


@pytest.fixture(scope="session")
def start_lab(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int], labs: list[Lab]
) -> Iterator[Callable[..., Lab]]:
    """Starts JupyterLabs; they are stopped when all tests are over."""
    with ExitStack() as stack:

        def start(*arguments: str, **environ: str) -> Lab:
            lab = Lab(tmp_path_factory.mktemp("lab"), free_port(), *arguments, **environ)
            stack.callback(lab.stop)
            labs.append(lab)
            return lab

        yield start


@pytest.fixture(scope="session")
def lab(start_lab: Callable[..., Lab]) -> Lab:
    """The JupyterLab that most tests share; the script `echo` answers."""
    lab = start_lab(BESTCHAT_DEFAULT_MODEL="scripted/echo", BESTCHAT_PRIVATE_PAGE_HOSTS="127.0.0.1")
    lab.wait()
    return lab


@pytest.fixture(autouse=True)
def nothing_breaks_unseen(context: BrowserContext) -> Iterator[None]:
    """No error of ours may escape in any page of a test; JupyterLab's own are its own."""
    escaped: list[str] = []

    def note(error: WebError) -> None:
        told = f"{error.error}\n{getattr(error.error, 'stack', '')}"
        if "/extensions/bestchat/" in told:
            escaped.append(told)

    context.on("weberror", note)
    yield
    assert escaped == []


@dataclass
class Panel:
    """The panel on a page, as somebody would use it."""

    page: Page

    def __post_init__(self) -> None:
        # Notes when JupyterLab's launcher has taken the focus; see `open`.
        self.page.add_init_script(
            """document.addEventListener("focusin", ({ target }) => {
                window.launcherTookFocus ||= target.closest(".jp-Launcher") !== null;
            });"""
        )

    @property
    def root(self) -> Locator:
        return self.page.locator("#bestchat-panel")

    @property
    def composer(self) -> Locator:
        # Its role changes while something can be completed.
        return self.root.get_by_label("Message", exact=True)

    @property
    def questions(self) -> Locator:
        return self.root.locator(".jp-BestChat-question")

    @property
    def answers(self) -> Locator:
        return self.root.locator(".jp-BestChat-answer")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def open(self, url: str) -> None:
        """Open a page of JupyterLab, and the panel on it."""
        self.page.goto(url)
        self.page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored")
        # Where no document is open, JupyterLab's launcher takes the focus as soon as it is ready,
        # from whoever has it by then.
        self.page.wait_for_function(
            """() => {
                const main = [...window.jupyterapp.shell.widgets("main")];
                const settled = window.launcherTookFocus || !document.querySelector(".jp-Launcher");
                return main.length > 0 && settled;
            }""",
            timeout=60_000,
        )
        self.page.evaluate("() => window.jupyterapp.commands.execute('bestchat:open')")
        expect(self.composer).to_be_visible()

    def wait_for_kernel(self) -> None:
        """Wait for the notebook's kernel: what is run before it is there is lost."""
        self.page.wait_for_function(
            """() => {
                const { currentWidget } = window.jupyterapp.shell;
                const kernel = currentWidget?.sessionContext?.session?.kernel;
                return kernel?.connectionStatus === "connected" && kernel?.status === "idle";
            }""",
            timeout=60_000,
        )

    def choose(self, model: str) -> None:
        """Choose who is to answer."""
        self.root.locator(".jp-BestChat-pickerButton").click()
        self.root.get_by_role("combobox", name="Search models").fill(model)
        self.root.get_by_role("option").first.click()
        expect(self.root.locator(".jp-BestChat-pickerButton")).to_contain_text(
            model.rpartition("/")[2]
        )

    def ask(self, text: str) -> None:
        """Ask something."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def ends(self, state: str = "finished", seconds: float = 30) -> Locator:
        """Wait until the last answer has ended; gives it.

        An `expect` that is not met yet describes the whole page each time it looks: while a long
        answer comes, that takes more of the browser than the answer does. So it has only the last
        word.
        """
        with suppress(LateError):
            self.page.wait_for_function(
                """([answers, state]) => {
                    const last = [...document.querySelectorAll(answers)].at(-1);
                    return last?.dataset.turnState === state;
                }""",
                arg=["#bestchat-panel .jp-BestChat-answer", state],
                polling=100,
                timeout=seconds * 1000,
            )
        answer = self.answers.last
        # It may have been the answer before: the one to what was just asked has all its time.
        expect(answer).to_have_attribute("data-turn-state", state, timeout=seconds * 1000)
        return answer


@pytest.fixture
def panel_on(page: Page) -> Callable[..., Panel]:
    """Opens the panel on a wide page of a JupyterLab."""

    def open_panel(lab: Lab, path: str = "lab") -> Panel:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        opened = Panel(page)
        opened.open(lab.page(path))
        return opened

    return open_panel


@pytest.fixture
def panel(panel_on: Callable[..., Panel], lab: Lab) -> Panel:
    """The panel on a page of the JupyterLab that tests share."""
    return panel_on(lab)
