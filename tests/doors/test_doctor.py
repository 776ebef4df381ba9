"""`bestchat doctor`: it finds what is wrong, changes nothing, and tells no secret."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.command import main
from bestchat_server_ext.command import server as server_check
from bestchat_server_ext.command.doctor import report
from bestchat_server_ext.command.report import Finding

TITLES = [
    "Versions",
    "Extras",
    "Jupyter",
    "Configuration files",
    "Options",
    "Database",
    "Redis",
    "Keys",
    "Models",
    "Network",
    "Server",
]


def found(environ: dict[str, str], title: str) -> list[Finding]:
    """What the doctor finds in one section."""
    sections = dict(report(environ).sections)
    assert list(sections) == TITLES
    return list(sections[title])


def problems(findings: list[Finding]) -> list[str]:
    return [item.text for item in findings if item.level == "problem"]


def texts(findings: list[Finding]) -> str:
    return "\n".join(f"{item.text} {item.todo}" for item in findings)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Jupyter's configuration path."""
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(folder))
    return folder


def test_all_is_well_and_nothing_is_changed(environ: dict[str, str], data_dir: Path) -> None:
    whole = report(environ)
    assert [title for title, _ in whole.sections] == TITLES
    assert (whole.problems, whole.summary) == (0, "All is well.")
    assert "The server extension is enabled" in whole.text()
    assert "the first chat makes it" in whole.text()
    assert not data_dir.exists()


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_secret_leaves(
    environ: dict[str, str],
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    """Neither from the environment, nor from a file, nor by way of an error's text."""
    canaries = {
        name: f"canary-{name.lower()}-x7"
        for name in ("KEY", "OTHER", "TOKEN", "DB", "REDIS", "PROXY", "URL")
    }
    (config / "bestchat_config.py").write_text(
        f"c.BestChat.database_url = 'postgresql://ada:{canaries['DB']}@127.0.0.1:1/chat'"
    )
    given = {
        "BESTCHAT_REDIS_URL": f"redis://ada:{canaries['REDIS']}@127.0.0.1:1/0",
        "OPENAI_API_KEY": canaries["KEY"],
        "ANTHROPIC_API_KEY": canaries["OTHER"],
        "BESTCHAT_TOKEN": canaries["TOKEN"],
        "BESTCHAT_URL": f"http://ada:{canaries['URL']}@127.0.0.1:1/",
        "HTTPS_PROXY": f"http://ada:{canaries['PROXY']}@proxy.invalid:3128",
    }
    for name, value in (environ | given).items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", *options]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert [name for name, canary in canaries.items() if canary in said.out] == []
    for part in ("OPENAI_API_KEY: set", "postgresql://ada:***@127.0.0.1:1/chat", "proxy.invalid"):
        assert part in said.out
    assert "It cannot be reached." in said.out


def test_as_json(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [section["title"] for section in said["sections"]] == TITLES
    assert said["problems"] == 0


# Jupyter and the options.


def test_an_extension_that_is_switched_off(environ: dict[str, str], config: Path) -> None:
    folder = config / "jupyter_server_config.d"
    folder.mkdir()
    extensions = {"ServerApp": {"jpserver_extensions": {"bestchat_server_ext": False}}}
    (folder / "ours.json").write_text(json.dumps(extensions))
    (finding,) = found(environ, "Jupyter")
    assert finding.level == "problem"
    assert str(folder / "ours.json") in finding.text
    assert "jupyter server extension enable bestchat_server_ext" in finding.todo
    (config / "jupyter_server_config.json").write_text("{")
    assert len(problems(found(environ, "Jupyter"))) == 2
    extensions["ServerApp"]["jpserver_extensions"]["bestchat_server_ext"] = True
    (config / "jupyter_server_config.json").write_text(json.dumps(extensions))
    assert problems(found(environ, "Jupyter")) == []


def test_options_with_their_origins(environ: dict[str, str], config: Path) -> None:
    path = config / "bestchat_config.json"
    path.write_text('{"BestChat": {"step_limit": 3}}')
    environ["BESTCHAT_STEP_LIMT"] = "4"
    assert texts(found(environ, "Configuration files")).startswith(f"{path}: read")
    options = found(environ, "Options")
    assert Finding("ok", f"step_limit = 3  ({path})") in options
    assert Finding("ok", "default_model = scripted/echo  (BESTCHAT_DEFAULT_MODEL)") in options
    stranger = Finding(
        "warning", "BESTCHAT_STEP_LIMT is set, and is no option.", "Did you mean step_limit?"
    )
    assert options[-1] == stranger


def test_a_broken_file_is_a_problem_and_the_rest_is_looked_at(
    environ: dict[str, str], config: Path
) -> None:
    path = config / "bestchat_config.py"
    path.write_text("c.BestChat.step_limit = = 3")
    (finding,) = found(environ, "Options")
    assert finding.level == "problem"
    assert f"{path} cannot be read: line 1" in finding.text
    assert texts(found(environ, "Configuration files")).startswith(f"{path}: found")
    assert "the options cannot be read" in texts(found(environ, "Database"))
    assert problems(found(environ, "Jupyter")) == []


# The database and the models.


def test_a_database_in_order(environ: dict[str, str]) -> None:
    async def make() -> None:
        await (await open_application(environ)).close()

    asyncio.run(make())
    findings = found(environ, "Database")
    assert problems(findings) == []
    assert "0 conversations" in texts(findings)
    assert "Its schema is " in texts(findings)


def test_a_broken_database_is_told_and_left_as_it_is(
    environ: dict[str, str], data_dir: Path
) -> None:
    data_dir.mkdir()
    path = data_dir / "bestchat.sqlite3"
    path.write_bytes(b"no database " * 1000)
    findings = found(environ, "Database")
    assert len(problems(findings)) == 1
    assert "bestchat db restore" in texts(findings)
    assert [item.name for item in data_dir.iterdir()] == [path.name]
    assert path.read_bytes() == b"no database " * 1000


def test_a_postgresql_that_does_not_answer(environ: dict[str, str]) -> None:
    environ["BESTCHAT_DATABASE_URL"] = "postgresql://ada:secret-word@127.0.0.1:1/chat"
    findings = found(environ, "Database")
    assert problems(findings) == ["It cannot be reached."]
    assert "secret-word" not in texts(findings)


def test_a_redis_that_does_not_answer(environ: dict[str, str]) -> None:
    environ["BESTCHAT_REDIS_URL"] = "redis://ada:secret-word@127.0.0.1:1/0"
    findings = found(environ, "Redis")
    assert problems(findings) == ["It cannot be reached."]
    assert "127.0.0.1:1" in texts(findings)
    assert "secret-word" not in texts(findings)
    environ["BESTCHAT_REDIS_URL"] = "redis://127.0.0.1:1/0?no_such_option=1"
    assert problems(found(environ, "Redis")) == ["`redis_url` cannot be read."]


def test_providers_by_the_names_of_their_variables(environ: dict[str, str]) -> None:
    environ |= {"BESTCHAT_DEFAULT_MODEL": "", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    findings = found(environ, "Models")
    assert Finding("ok", "OPENAI_BASE_URL: set") in findings
    assert "OPENAI_API_KEY" not in texts(findings)
    assert findings[1].text.endswith(" other variables of providers: not set.")
    assert len(findings) == 3
    assert "127.0.0.1" not in texts(findings)
    del environ["OPENAI_BASE_URL"]
    assert found(environ, "Models")[-1].level == "warning"


def test_proxies_and_certificates(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {
        "http_proxy": "proxy.invalid:3128",
        "NO_PROXY": "localhost,10.0.0.1",
        "SSL_CERT_FILE": str(tmp_path),
        "CURL_CA_BUNDLE": str(tmp_path / "missing"),
    }
    assert [(item.level, item.text) for item in found(environ, "Network")] == [
        ("ok", "NO_PROXY: 2 exceptions"),
        ("ok", "http_proxy: proxy.invalid"),
        ("ok", "SSL_CERT_FILE: set, and there"),
        ("problem", "CURL_CA_BUNDLE names nothing that is there."),
    ]


# The server.


def test_a_server_in_order(environ: dict[str, str], jupyter: Any) -> None:
    environ |= {"BESTCHAT_URL": jupyter.url, "BESTCHAT_TOKEN": jupyter.token}
    findings = found(environ, "Server")
    assert [item for item in findings if item.level != "ok"] == []
    assert "It is reached: bestchat " in texts(findings)
    assert "The token is valid: user of local." in texts(findings)
    assert "There: default_model = scripted/echo  (BESTCHAT_DEFAULT_MODEL)" in texts(findings)


def test_a_token_that_is_not_valid(environ: dict[str, str], jupyter: Any) -> None:
    environ |= {"BESTCHAT_URL": jupyter.url, "BESTCHAT_TOKEN": "bct_" + "x" * 43}
    (said,) = problems(found(environ, "Server"))
    assert said == "It is reached, and does not know the token in BESTCHAT_TOKEN."


@pytest.mark.parametrize("name", ["BESTCHAT_URL", "BESTCHAT_TOKEN"])
def test_half_an_address(environ: dict[str, str], name: str) -> None:
    environ[name] = "http://127.0.0.1:1/"
    (said,) = problems(found(environ, "Server"))
    assert "is missing" in said


def test_a_server_that_does_not_answer_in_time(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_check, "LIMIT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        environ |= {"BESTCHAT_URL": url, "BESTCHAT_TOKEN": "bct_x"}
        (said,) = problems(found(environ, "Server"))
    assert "does not answer within" in said


Serve = Callable[[dict[str, dict[str, Any]]], str]


@pytest.fixture
def older() -> Iterator[Serve]:
    """A server that answers some procedures, and knows no others."""
    servers: list[HTTPServer] = []

    def serve(answers: dict[str, dict[str, Any]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = answers.get(self.path.rpartition("/")[2])
                unknown = {"code": "unknown_procedure", "kind": "missing", "text": "Unknown."}
                body = json.dumps(answer or {"error": unknown}).encode()
                self.send_response(200 if answer else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_older_server(environ: dict[str, str], older: Serve) -> None:
    url = older(
        {
            "system.health": {
                "alive": True,
                "protocol": 1,
                "version": "0.0.9",
                "notices": ["The disk is far away."],
            },
            "system.whoami": {"owner": "ada", "kind": "kernel", "scopes": []},
        }
    )
    environ |= {"BESTCHAT_URL": url, "BESTCHAT_TOKEN": "bct_x"}
    findings = found(environ, "Server")
    assert problems(findings) == []
    warnings = [item.text for item in findings if item.level == "warning"]
    assert warnings[1] == "The disk is far away."
    assert warnings[0].startswith("Here is bestchat ")
    assert "The token is valid: kernel of ada." in texts(findings)
    assert findings[-1].text == "It is an older one, which does not tell its options."


def test_what_a_server_repeats_is_taken_out(environ: dict[str, str], older: Serve) -> None:
    notices = ["The provider said: canary-word is no key."]
    health = {"alive": True, "protocol": 1, "version": "0.0.9", "notices": notices}
    environ |= {"BESTCHAT_URL": older({"system.health": health}), "BESTCHAT_TOKEN": "bct_x"}
    environ["OPENAI_API_KEY"] = "canary-word"
    assert "The provider said: *** is no key." in texts(found(environ, "Server"))


def test_the_environment_is_left_as_it_is(environ: dict[str, str]) -> None:
    before = dict(os.environ)
    report(environ)
    assert dict(os.environ) == before
