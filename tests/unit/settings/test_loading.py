"""Options from files, the environment and the server, and where each comes from."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from bestchat_server_ext.core.errors import InvalidRequest
from bestchat_server_ext.settings import Settings, load, load_with_origins, strangers, variable

PASSWORD = "hunter2-canary"
ADDRESS = f"postgresql://ada:{PASSWORD}@db.example.org/chat?sslpassword={PASSWORD}"

Write = Callable[..., Path]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two folders of Jupyter's configuration path; the first wins."""
    found = [tmp_path / "user", tmp_path / "site"]
    for folder in found:
        folder.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", ":".join(map(str, found)))
    return found


@pytest.fixture
def write(folders: list[Path]) -> Write:
    def write_file(text: str, suffix: str = "py", folder: int = 0) -> Path:
        path = folders[folder] / f"bestchat_config.{suffix}"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


# What is configured where.


def test_without_any_configuration_everything_is_a_default() -> None:
    loaded = load_with_origins({})
    assert {str(origin) for origin in loaded.origins.values()} == {"default"}
    assert loaded.settings.data_dir.name == "bestchat"
    assert loaded.settings.database_pool_size == 10
    assert loaded.settings.allow_user_keys
    assert loaded.settings.enabled
    assert not loaded.settings.database_url
    assert loaded.files == ()


def test_what_is_higher_wins_and_is_named(write: Write) -> None:
    write('{"BestChat": {"step_limit": 2, "enabled": false, "default_model": "a/b"}}', "json", 1)
    site = write("c.BestChat.database_pool_size = 3\nc.BestChat.default_model = 'a/a'", "py", 1)
    user = write('{"version": 1, "BestChat": {"step_limit": 4}}', "json")
    environ = {"BESTCHAT_ENABLED": "true", "BESTCHAT_SERVER_URL": "http://here:1/"}
    loaded = load_with_origins(environ, {"server_url": "http://there:2/"})
    assert {
        name: (value, str(loaded.origins[name]))
        for name, value in loaded.settings.model_dump().items()
        if loaded.origins[name].kind != "default"
    } == {
        "step_limit": (4, str(user)),
        "database_pool_size": (3, str(site)),
        "default_model": ("a/b", str(site.with_suffix(".json"))),
        "enabled": (True, "BESTCHAT_ENABLED"),
        "server_url": ("http://there:2/", "c.BestChat.server_url of the server"),
    }
    assert loaded.files == (site, site.with_suffix(".json"), user)
    assert load(environ) == load_with_origins(environ).settings


def test_an_empty_variable_sets_nothing(write: Write) -> None:
    write("c.BestChat.default_model = 'a/b'")
    assert load({"BESTCHAT_DEFAULT_MODEL": ""}).default_model == "a/b"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("openai/*, local/*,", ("openai/*", "local/*")),
        ('["openai/*", "local/a,b"]', ("openai/*", "local/a,b")),
        ("*", ("*",)),
        ("[]", ()),
        (" , ", ()),
    ],
)
def test_a_list_in_a_variable(text: str, value: tuple[str, ...]) -> None:
    assert load({"BESTCHAT_ALLOWED_MODELS": text}).allowed_models == value


def test_a_list_in_a_file(write: Write) -> None:
    write(
        "c.BestChat.allowed_models.append('openai/*')\n"
        "c.BestChat.allowed_models.append('local/*')\n"
        "c.BestChat.allowed_base_urls = ['https://a.example/']\n"
        "c.BestChat.scripts_dir  # only looked at\n"
    )
    settings = load({})
    assert settings.allowed_models == ("openai/*", "local/*")
    assert settings.allowed_base_urls == ("https://a.example/",)
    assert settings.scripts_dir is None


@pytest.mark.parametrize(("text", "value"), [("no", False), ("OFF", False), ("1", True)])
def test_the_usual_words_for_yes_and_no(text: str, *, value: bool) -> None:
    assert load({"BESTCHAT_ENABLED": text}).enabled is value


def test_folders_are_whole_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load({"BESTCHAT_DATA_DIR": "~/data", "BESTCHAT_SCRIPTS_DIR": "scripts"})
    assert (settings.data_dir, settings.scripts_dir) == (tmp_path / "data", tmp_path / "scripts")


# What cannot be used.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("database_url", f"mysql://ada:{PASSWORD}@db/chat"),
        ("database_url", f"ada:{PASSWORD}@db/chat"),
        ("redis_url", f"http://ada:{PASSWORD}@redis:6379/0"),
        ("redis_url", f"ada:{PASSWORD}@redis"),
        ("redis_url", "redis://"),
        ("database_pool_size", "0"),
        ("step_limit", "many"),
        ("server_url", "here:8888"),
        ("server_url", "http:///lab"),
        ("allowed_models", "gpt-5"),
        ("allowed_models", f"openai/*,{PASSWORD}"),
        ("fallback_models", f"openai/gpt,{PASSWORD}"),
        ("fallback_models_refused", f"{PASSWORD}/"),
        ("allowed_models", '["openai/*"'),
        ("allowed_models", '["openai/*", 1]'),
        ("allowed_base_urls", "api.example.org"),
        ("allowed_base_urls", "http://[::1"),
        ("enabled", "perhaps"),
    ],
)
def test_an_impossible_value_is_named_with_its_origin(name: str, text: str) -> None:
    with pytest.raises(InvalidRequest, match=f"option '{name}' cannot be used") as caught:
        load({variable(name): text})
    assert caught.value.info.field == name
    assert variable(name) in caught.value.info.hint
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "which"), [("allowed_models", "pattern 2"), ("fallback_models", "entry 2")]
)
def test_a_bad_one_of_several_is_told_by_its_number(name: str, which: str) -> None:
    with pytest.raises(InvalidRequest, match=which):
        load({variable(name): "openai/gpt, gpt"})


def test_a_bad_value_from_a_file_names_the_file(write: Write) -> None:
    path = write("c.BestChat.step_limit = 0")
    with pytest.raises(InvalidRequest) as caught:
        load({})
    assert str(path) in caught.value.info.hint
    assert load({"BESTCHAT_STEP_LIMIT": "1"}).step_limit == 1, "what is overruled is not looked at"


def test_an_option_of_the_server_that_does_not_exist() -> None:
    with pytest.raises(InvalidRequest, match="defualt_model"):
        load({}, {"defualt_model": "a/b"})


@pytest.mark.parametrize(
    ("suffix", "text", "said"),
    [
        ("json", '{"BestChat": {\n"step_limit": }}', "line 2: Expecting value"),
        ("json", "[]", "it holds no JSON object"),
        ("json", '{"BestChat": []}', "'BestChat', which means nothing"),
        ("json", '{"Bestchat": {}}', "'Bestchat', which means nothing"),
        ("json", '{"BestChat": {"defualt_model": ""}}', "does not exist: 'defualt_model'. Did you"),
        ("py", "c.BestChat.defualt_model = ''", "Did you mean default_model"),
        ("py", "c.BestChat.zzz = ''", "The options are data_dir, "),
        ("py", "\nc.BestChat.step_limit = = 1", "line 2: invalid syntax"),
        ("py", f"\n\nint('{PASSWORD}')", "line 3: ValueError"),
        ("py", f"def f():\n    raise SystemExit('{PASSWORD}')\nf()", "line 2: SystemExit"),
        ("py", "c.ServerApp.port = 1", "'ServerApp', which means nothing"),
        ("py", "c.BestChat = 7", "line 1: ValueError"),
    ],
)
def test_a_broken_file_is_one_error_that_names_it(
    write: Write, suffix: str, text: str, said: str
) -> None:
    path = write(text, suffix)
    with pytest.raises(InvalidRequest) as caught:
        load({})
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "direct cause" not in "".join(traceback.format_exception(caught.value))
    assert "During handling" not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in str(caught.value)


def test_a_file_that_is_no_text(write: Write) -> None:
    write("", "json").write_bytes(b'{"BestChat": "\xff"}')
    with pytest.raises(InvalidRequest, match="UTF-8"):
        load({})


def test_a_file_that_another_one_loads(write: Write, folders: list[Path]) -> None:
    (folders[0] / "more.py").write_text("c.BestChat.step_limit = 5")
    write("load_subconfig('more.py')")
    assert load({}).step_limit == 5
    (folders[0] / "more.py").write_text("c.BestChat.step_limit = = 5")
    with pytest.raises(InvalidRequest, match=r"more\.py"):
        load({})


def test_a_folder_in_the_place_of_a_file_is_passed_over(folders: list[Path]) -> None:
    (folders[0] / "bestchat_config.py").mkdir()
    assert load_with_origins({}).files == ()


# What people see.


def test_the_passwords_of_database_and_redis_are_shown_nowhere(write: Write) -> None:
    redis = f"rediss://ada:{PASSWORD}@redis.example.org/0"
    write(f"c.BestChat.database_url = {ADDRESS!r}; c.BestChat.redis_url = {redis!r}")
    loaded = load_with_origins({})
    assert loaded.settings.database_url.get_secret_value() == ADDRESS
    shown = {option.name: option.value for option in loaded.options()}
    assert shown["database_url"] == "postgresql://ada:***@db.example.org/chat?…"
    assert shown["redis_url"] == "rediss://ada:***@redis.example.org/0"
    everything = f"{loaded} {loaded!r} {loaded.options()} {loaded.settings.model_dump_json()}"
    assert PASSWORD not in everything + str(loaded.settings.database_url)


def test_every_option_is_shown_as_one_would_write_it() -> None:
    environ = {
        "BESTCHAT_ALLOWED_MODELS": '["a/*", "b/*"]',
        "BESTCHAT_ALLOWED_BASE_URLS": f"https://ada:{PASSWORD}@a.example/v1, https://b.example",
        "BESTCHAT_ENABLED": "no",
    }
    options = load_with_origins(environ).options()
    shown = {option.name: option.value for option in options}
    assert list(shown) == list(Settings.model_fields)
    assert shown["allowed_models"] == "a/*, b/*"
    assert shown["allowed_base_urls"] == "https://ada:***@a.example/v1, https://b.example"
    assert (shown["enabled"], shown["scripts_dir"]) == ("false", "")
    assert all(option.description for option in options)


def test_variables_that_are_no_options() -> None:
    environ = {"BESTCHAT_URL": "", "BESTCHAT_STEP_LIMIT": "", "BESTCHAT_MODEL_DEFAULT": "", "X": ""}
    assert list(strangers(environ)) == ["BESTCHAT_MODEL_DEFAULT"]
    found = strangers({"BESTCHAT_STEP_LIMT": "1"})
    assert found == {"BESTCHAT_STEP_LIMT": "Did you mean step_limit?"}


def test_traitlets_load_only_for_a_file_of_python(folders: list[Path]) -> None:
    code = (
        "import sys; from bestchat_server_ext.settings import load;"
        "print(load({}).step_limit, 'traitlets.config' in sys.modules)"
    )

    def run() -> str:
        environ = {"JUPYTER_CONFIG_PATH": str(folders[0]), "JUPYTER_CONFIG_DIR": str(folders[1])}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    (folders[0] / "bestchat_config.json").write_text('{"BestChat": {"step_limit": 7}}')
    assert run() == "7 False"
    (folders[0] / "bestchat_config.py").write_text("c.BestChat.step_limit = 8")
    assert run() == "7 True", "the file of JSON stays on top"
