"""The `bestchat` command: what it says, and what it leaves behind."""

from __future__ import annotations

import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bestchat_server_ext.adapters.storage_sql.migrations import HEAD
from bestchat_server_ext.command import database, main, setup, terminal
from bestchat_server_ext.command.magics import STARTUP

TOPICS = {
    "doctor": "--json",
    "db": "restore",
    "db upgrade": "PostgreSQL waits for this command",
    "db backup": "a dated one",
    "db restore": "--yes",
    "keys": "set-command",
    "keys status": "how many providers' keys",
    "keys rotate": "--drop-old",
    "keys set": "no history of a shell",
    "keys set-command": "without a shell",
    "keys forget": "--site",
    "models": "add",
    "models add": "93 MB",
    "magics": "--no-autoload",
}


@pytest.mark.parametrize("topic", ["", *TOPICS])
def test_help_reads_well(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*topic.split(), "--help"])
    said = capsys.readouterr().out
    assert caught.value.code == 0
    assert TOPICS.get(topic, "Exit codes") in " ".join(said.split())
    assert set(re.findall("%+[a-z_]+", said)) <= {"%%chat", "%load_ext"}
    assert "None" not in said


@pytest.mark.parametrize(
    "line", ["", "db", "db vacuum", "models", "magics --autoload --no-autoload"]
)
def test_a_line_that_makes_no_sense(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    assert caught.value.code == 2
    assert "usage: bestchat" in capsys.readouterr().err


def test_it_starts_fast() -> None:
    """Nothing heavy is loaded for a command that does not need it."""
    code = (
        "import sys; from bestchat_server_ext.command import main\n"
        "try: main(['--help'])\n"
        "finally: print([name for name in ('pydantic', 'traitlets', 'aiohttp', 'sqlalchemy',"
        " 'asyncio', 'jupyter_core', 'importlib.metadata') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BESTCHAT_STEP_LIMIT", "none")
    assert main(["db", "upgrade"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bestchat: The option 'step_limit' cannot be used")
    assert said.err.count("\n") == 1


class TestPatience:
    def test_what_is_quick_is_quiet(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert terminal.patiently("Working", lambda: 7) == 7
        assert capsys.readouterr().err == ""

    def test_what_takes_its_time_says_so(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        said = threading.Event()
        monkeypatch.setattr(terminal, "PATIENCE_SECONDS", 0.01)
        monkeypatch.setattr(terminal, "complain", lambda text: (print(text), said.set()))
        assert terminal.patiently("Working", lambda: said.wait(30))
        assert capsys.readouterr().out == "Working …\n"

    def test_an_error_of_the_work_comes_through(self) -> None:
        def work() -> None:
            raise TimeoutError("of its own")

        with pytest.raises(TimeoutError, match="of its own"):
            terminal.patiently("Working", work)

    def test_what_is_interrupted_is_finished_and_told_truly(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        said = threading.Event()
        monkeypatch.setattr(terminal, "complain", lambda text: (print(text), said.set()))
        before = signal.getsignal(signal.SIGINT)

        def work() -> int:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            assert said.wait(30)
            return 7

        try:
            assert terminal.patiently("Working", work) == 7
        except KeyboardInterrupt:
            pytest.fail("it was not finished")
        assert "finishing what was begun" in capsys.readouterr().out
        assert signal.getsignal(signal.SIGINT) is before

    def test_what_was_stopped_is_not_praised(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupt(_: object) -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr(database, "_upgrade", interrupt)
        assert main(["db", "upgrade"]) == 130
        assert capsys.readouterr().err == "bestchat: stopped.\n"


class TestAutoload:
    @pytest.fixture(autouse=True)
    def startup(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        return tmp_path / "ipython" / "profile_default" / "startup" / "50-bestchat.py"

    def test_on_and_off_again(self, startup: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["magics"]) == 0
        assert capsys.readouterr().out.startswith("Off: ")
        assert not startup.parent.exists(), "asking changes nothing"
        assert main(["magics", "--autoload"]) == 0
        said = capsys.readouterr().out
        assert f"Wrote {startup}." in said
        assert "bestchat magics --no-autoload" in said
        assert startup.read_text() == STARTUP
        assert main(["magics"]) == 0
        assert capsys.readouterr().out.startswith(f"On: {startup}")
        before = startup.stat().st_mtime_ns
        assert main(["magics", "--autoload"]) == 0
        assert capsys.readouterr().out.startswith("Nothing to do")
        assert startup.stat().st_mtime_ns == before
        assert main(["magics", "--no-autoload"]) == 0
        assert f"Removed {startup}." in capsys.readouterr().out
        assert list(startup.parent.iterdir()) == []
        assert main(["magics", "--no-autoload"]) == 0
        assert capsys.readouterr().out.startswith("Nothing to do")

    def test_an_older_one_of_ours_is_renewed(self, startup: Path) -> None:
        startup.parent.mkdir(parents=True)
        startup.write_text(STARTUP.splitlines()[0] + "\nan older way")
        assert main(["magics", "--autoload"]) == 0
        assert startup.read_text() == STARTUP

    @pytest.mark.parametrize("option", ["--autoload", "--no-autoload"])
    def test_somebody_elses_file_is_left_alone(
        self, startup: Path, capsys: pytest.CaptureFixture[str], option: str
    ) -> None:
        startup.parent.mkdir(parents=True)
        startup.write_bytes(b"mine = '\xff'")
        assert main(["magics", option]) == 1
        assert "was not written by this command" in capsys.readouterr().err
        assert startup.read_bytes() == b"mine = '\xff'"
        assert main(["magics"]) == 0
        assert capsys.readouterr().out.startswith("Off: ")

    def test_a_folder_that_takes_no_files(
        self, startup: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        startup.parents[2].write_text("a file in the place of the folder")
        assert main(["magics", "--autoload"]) == 1
        said = capsys.readouterr().err
        assert "IPYTHONDIR" in said
        assert said.count("\n") == 1


class Terminal(io.StringIO):
    """Somebody who sits there and answers."""

    def isatty(self) -> bool:
        return True


class TestDatabase:
    @pytest.fixture(autouse=True)
    def path(
        self, environ: dict[str, str], data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Path:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert main(["db", "upgrade"]) == 0
        return data_dir / "bestchat.sqlite3"

    @pytest.fixture
    def backup(self, path: Path, tmp_path: Path) -> Path:
        """A copy, after which the database was marked."""
        target = tmp_path / "copy"
        assert main(["db", "backup", str(target)]) == 0
        with closing(sqlite3.connect(path)) as file:
            file.execute("CREATE TABLE mark (x)")
        return target

    @staticmethod
    def marked(path: Path) -> bool:
        with closing(sqlite3.connect(path)) as file:
            query = "SELECT 1 FROM sqlite_master WHERE name = 'mark'"
            return file.execute(query).fetchone() is not None

    def test_upgrade_says_what_it_has_now(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        assert main(["db", "upgrade"]) == 0
        assert capsys.readouterr().out == f"{path} has the schema {HEAD}.\n"

    def test_a_backup_says_where_it_is(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        assert main(["db", "backup"]) == 0
        said = capsys.readouterr().out
        target = Path(said.removeprefix(f"{path} was copied to ").removesuffix(".\n"))
        assert target.is_file()
        assert main(["db", "backup", str(target)]) == 1, "a file that is there is not overwritten"
        assert capsys.readouterr().err.count("\n") == 1

    def test_restore_with_a_yes(
        self, path: Path, backup: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.marked(path)
        assert main(["db", "restore", str(backup), "--yes"]) == 0
        assert not self.marked(path)
        said = capsys.readouterr().out
        assert f"was restored from {backup}" in said
        kept = Path(said.rpartition("is kept as ")[2].removesuffix(".\n"))
        assert self.marked(kept)

    @pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("no\n", 1), ("\n", 1), ("", 1)])
    def test_restore_asks(
        self,
        path: Path,
        backup: Path,
        answer: str,
        code: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        assert main(["db", "restore", str(backup)]) == code
        assert self.marked(path) is bool(code)
        said = capsys.readouterr()
        assert f"Replace {path} by {backup}? [y/N]" in said.out
        assert ("nothing was changed" in said.err) is bool(code)

    def test_restore_refuses_where_nobody_can_be_asked(
        self,
        path: Path,
        backup: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        assert main(["db", "restore", str(backup)]) == 1
        assert "--yes" in capsys.readouterr().err
        assert self.marked(path)

    def test_the_doctor_advises_no_restore_for_what_mends_itself(self, path: Path) -> None:
        code = (
            "import os, sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); "
            "file.execute('PRAGMA journal_mode=DELETE'); file.execute('PRAGMA cache_size=2'); "
            "file.execute('BEGIN'); "
            "file.execute('CREATE TABLE half AS SELECT randomblob(90000) AS page'); "
            "os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", code, str(path)], check=False)
        assert path.with_name(f"{path.name}-journal").stat().st_size
        findings = list(setup.database(setup.Setup.of(os.environ)))
        assert [item.level for item in findings] == ["ok", "warning"]
        assert "next opening" in findings[1].text

    def test_what_is_no_backup_changes_nothing(
        self, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "text").write_text("no backup")
        before = path.read_bytes()
        for name in ("text", "missing"):
            assert main(["db", "restore", str(tmp_path / name), "--yes"]) == 1
            assert capsys.readouterr().err.count("\n") == 1
        assert path.read_bytes() == before

    def test_a_password_is_not_repeated(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        address = "postgresql://ada:canary-word@127.0.0.1:1/chat"
        monkeypatch.setenv("BESTCHAT_DATABASE_URL", address)
        monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
        for line in ("upgrade", "backup", "restore nothing --yes", "restore nothing"):
            assert main(["db", *line.split()]) == 1
        said = capsys.readouterr()
        assert "Replace postgresql://ada:***@127.0.0.1:1/chat by nothing?" in said.out
        assert "canary-word" not in said.out + said.err
