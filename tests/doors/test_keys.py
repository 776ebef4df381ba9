"""`bestchat keys`: what it says and does; and a rotation under the feet of servers."""

from __future__ import annotations

import asyncio
import base64
import io
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.adapters.catalog_file import open_catalog
from bestchat_server_ext.adapters.clock_system import SystemClock
from bestchat_server_ext.adapters.secrets_env import EnvSecrets
from bestchat_server_ext.adapters.storage_sql import open_database
from bestchat_server_ext.adapters.storage_sql.provider_configs import SqlProviderConfigs
from bestchat_server_ext.adapters.vault_aes import FILE_NAME, open_vault
from bestchat_server_ext.api.providers import ConfigureProvider
from bestchat_server_ext.bootstrap import open_application
from bestchat_server_ext.command import main
from bestchat_server_ext.command.doctor import report
from bestchat_server_ext.core.ids import LOCAL_OWNER, OwnerId
from bestchat_server_ext.core.provider_settings import ProviderSettings
from bestchat_server_ext.core.vault import Sealed
from bestchat_server_ext.ports.provider_configs import ProviderConfig
from bestchat_server_ext.services import key_rotation
from bestchat_server_ext.services.key_rotation import KeyRotation
from bestchat_server_ext.services.provider_settings import ProviderSettingsService

KEY = "sk-canary-0123456789-wxyz"
ONE, TWO = (
    f"{name}:{base64.b64encode(bytes([n]) * 32).decode()}" for n, name in ((1, "one"), (2, "two"))
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command line; gives the exit code, and what was said and complained of."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    def command(*line: str, given: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        code = main(["keys", *line])
        said = capsys.readouterr()
        assert KEY not in said.out + said.err
        return code, said.out, said.err

    return command


@pytest.fixture
def key_of(environ: dict[str, str]) -> Callable[..., Any]:
    """What a request would be sent with, as a new process sees it."""

    def find(provider: str = "openai", owner: OwnerId | None = LOCAL_OWNER) -> Any:
        async def ask() -> Any:
            application = await open_application(environ)
            try:
                return await application._services.provider_settings.find(provider, owner)
            finally:
                await application.close()

        return asyncio.run(ask())

    return find


def test_a_key_is_stored_and_forgotten(run: Run, key_of: Any, data_dir: Path) -> None:
    code, said, complaint = run("set", "openai", given=f"{KEY}\n")
    assert (code, said) == (0, "Stored the key for openai, which ends in wxyz.\n")
    assert "care and no wall" in complaint
    assert key_of().key == KEY
    assert (data_dir / FILE_NAME).exists()
    assert run("forget", "openai") == (0, "Nothing is stored for openai any more.\n", "")
    assert key_of().key is None


def test_a_key_for_the_site(run: Run, key_of: Any) -> None:
    url = "https://site.example/v1"
    assert run("set", "openai", "--site", "--url", url, given=KEY)[0] == 0
    for owner in (LOCAL_OWNER, OwnerId("ada"), None):
        found = key_of(owner=owner)
        assert (found.key, found.base_url, found.source) == (KEY, url, "site")
    assert run("forget", "openai", "--site")[0] == 0
    assert key_of().source is None


@pytest.mark.parametrize(
    ("line", "given", "complaint"),
    [
        (["set", "nobody"], KEY, "no provider named 'nobody'"),
        (["set", "openai"], "", "at least one character"),
        (["set", "openai"], "two words", "white space"),
        (["set", "openai", "--url", "nowhere"], KEY, "no address"),
    ],
)
def test_what_cannot_be_stored(run: Run, line: list[str], given: str, complaint: str) -> None:
    code, said, complained = run(*line, given=given)
    assert (code, said) == (1, "")
    assert complaint in complained
    assert complained.count("\n") == 1


def test_users_keys_that_the_site_does_not_permit(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BESTCHAT_ALLOW_USER_KEYS", "false")
    assert run("set", "openai", given=KEY)[0] == 1
    assert run("set", "openai", "--site", given=KEY)[0] == 0


def test_a_command_that_prints_a_key(run: Run, key_of: Any) -> None:
    line = [sys.executable, "-c", "print('printed-' + 'key')"]
    code, said, _ = run("set-command", "openai", "--seconds", "60", "--", *line)
    assert (code, sys.executable in said) == (0, True)
    assert key_of().key == "printed-key"


def test_how_it_stands(run: Run, data_dir: Path) -> None:
    code, said, complaint = run("status")
    assert (code, complaint != "") == (0, True)
    assert "none yet" in said
    assert not (data_dir / FILE_NAME).exists()
    run("set", "openai", given=KEY)
    code, said, complaint = run("status")
    assert (code, "seals, opens 1 stored keys" in said) == (0, True)
    assert str(data_dir / FILE_NAME) in said
    (data_dir / FILE_NAME).unlink()
    code, said, complaint = run("status")
    assert code == 1
    assert "which is gone" in complaint


def test_a_new_master_key(run: Run, key_of: Any, data_dir: Path) -> None:
    run("set", "openai", given=KEY)
    run("set", "anthropic", "--site", given=KEY)
    before = (data_dir / FILE_NAME).read_text()
    code, said, complaint = run("rotate")
    assert (code, complaint) == (0, "")
    assert "2 keys were encrypted anew" in said
    after = (data_dir / FILE_NAME).read_text()
    assert before.strip() in after  # the old one still opens
    assert (key_of().key, key_of("anthropic").key) == (KEY, KEY)
    code, said, _ = run("rotate", "--drop-old")
    assert code == 0
    left = (data_dir / FILE_NAME).read_text()
    assert before.strip() not in left
    assert "," not in left
    assert key_of().key == KEY


def test_master_keys_of_the_site(
    run: Run, key_of: Any, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    def configured(value: str) -> None:
        monkeypatch.setenv("BESTCHAT_MASTER_KEYS", value)
        environ["BESTCHAT_MASTER_KEYS"] = value

    run("set", "openai", given=KEY)
    configured(ONE)
    assert "1 keys were encrypted anew" in run("rotate", "--drop-old")[1]
    assert not (data_dir / FILE_NAME).exists()
    configured(f"{TWO},{ONE}")
    assert "The master key is two now; 1 keys" in run("rotate")[1]
    configured(TWO)
    assert key_of().key == KEY
    configured(ONE)
    assert run("status")[0] == 1


def test_what_does_not_open_stays_and_is_said(run: Run, key_of: Any, data_dir: Path) -> None:
    run("set", "openai", given=KEY)
    run("set", "anthropic", given=KEY)
    with closing(sqlite3.connect(data_dir / "bestchat.sqlite3")) as file, file:
        file.execute("UPDATE provider_configs SET sealed = x'01' WHERE provider = 'openai'")
    code, said, complaint = run("status")
    assert (code, "seals, opens 1 stored keys" in said) == (1, True)
    assert "the key of local for openai is unreadable: enter it again" in complaint
    code, said, complaint = run("rotate", "--drop-old")
    assert code == 1
    assert "1 keys were encrypted anew" in said
    assert "openai is unreadable" in complaint
    assert key_of("anthropic").key == KEY


def test_the_doctor_says_how_keys_are_kept(
    run: Run, environ: dict[str, str], data_dir: Path
) -> None:
    def findings() -> list[Any]:
        return list(dict(report(environ).sections)["Keys"])

    assert [item.level for item in findings()] == ["ok"]
    run("set", "openai", given=KEY)
    assert [item.level for item in findings()] == ["ok", "warning"]
    (data_dir / FILE_NAME).chmod(0o644)
    assert [item.level for item in findings()] == ["problem"]
    environ["BESTCHAT_MASTER_KEYS"] = "nonsense"
    assert "nonsense" not in report(environ).text()
    environ["BESTCHAT_MASTER_KEYS"] = ONE
    assert ONE[4:] not in report(environ).text()
    (data_dir / FILE_NAME).unlink()
    place, lost = findings()
    assert (place.level, lost.level) == ("ok", "warning")
    assert lost.text.startswith("The stored key for openai cannot be read")
    assert "bestchat keys set openai" in lost.todo


def test_the_doctor_tries_to_open_what_is_stored(
    run: Run, environ: dict[str, str], data_dir: Path
) -> None:
    """And changes nothing; what opens is a provider that is set up."""

    def said(title: str) -> str:
        return "\n".join(item.text for item in dict(report(environ).sections)[title])

    environ["BESTCHAT_DEFAULT_MODEL"] = ""
    assert "There is no model to talk to" in said("Models")
    run("set", "openai", given=KEY)
    run("set", "anthropic", given=KEY)
    path = data_dir / "bestchat.sqlite3"
    before = path.read_bytes(), sorted(item.name for item in data_dir.iterdir())
    assert "Stored, and set up with that: anthropic, openai." in said("Models")
    assert "no model to talk to" not in said("Models")
    assert "cannot be read" not in said("Keys")
    assert (path.read_bytes(), sorted(item.name for item in data_dir.iterdir())) == before
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE provider_configs SET sealed = x'01' WHERE provider = 'openai'")
    assert "The stored key for openai cannot be read" in said("Keys")
    assert "anthropic" not in said("Keys")
    assert "set up with that: anthropic." in said("Models")
    assert KEY not in report(environ).text()


def test_a_key_that_is_left_behind_is_no_success(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("set", "openai", given=KEY)

    async def lose(*_: Any) -> bool:
        return False

    with monkeypatch.context() as patch:
        patch.setattr(SqlProviderConfigs, "rewrap", lose)
        code, said, complaint = run("rotate", "--drop-old")
    assert (code, "0 keys were encrypted anew" in said, "Dropped: none" in said) == (1, True, True)
    assert "1 keys are under the former master key" in complaint
    assert "once more" in complaint
    code, said, complaint = run("rotate", "--drop-old")
    assert (code, complaint, "1 keys were encrypted anew" in said) == (0, "", True)


# Under load.


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, data_dir: Path) -> Path | str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return data_dir / "bestchat.sqlite3"


Serve = Callable[[], Any]


@pytest.fixture
async def server(place: Path | str, data_dir: Path) -> AsyncIterator[Serve]:
    """Servers on one database, each with a vault and connections of its own."""
    async with AsyncExitStack() as stack:

        async def start() -> tuple[ProviderSettingsService, KeyRotation]:
            database = await open_database(place)
            stack.push_async_callback(database.close)
            vault = open_vault({}, data_dir, shared=False)
            settings = ProviderSettingsService(
                database.provider_configs, vault, EnvSecrets({}), open_catalog(), SystemClock()
            )
            return settings, KeyRotation(database.provider_configs, vault)

        yield start


async def test_servers_serve_while_master_keys_change(
    server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every read opens what was stored last, every write gets through, and none is left behind."""
    monkeypatch.setattr(key_rotation, "BATCH", 3)
    (one, _), (two, _), (_, rotation) = [await server() for _ in range(3)]
    owners = [OwnerId(f"owner {number}") for number in range(10)]
    for owner in owners:
        await one.store(owner, ConfigureProvider("openai", key=f"key-of-{owner[6:]}-0"))
    rotated = asyncio.Event()
    rounds = 0

    async def serve(settings: ProviderSettingsService, mine: list[OwnerId]) -> None:
        nonlocal rounds
        number = 0
        while not rotated.is_set():
            number += 1
            for owner in mine:
                key = f"key-of-{owner[6:]}-{number}"
                await settings.store(owner, ConfigureProvider("openai", key=key))
                assert (await settings.find("openai", owner)).key == key
                await settings.store(owner, ConfigureProvider("openai", default_model="openai/x"))
                assert (await settings.find("openai", owner)).key == key
            rounds += 1

    async def rotate() -> None:
        seen = set()
        try:
            for _ in range(5):
                done = await rotation.rotate()
                assert done.unreadable == ()
                seen.add(done.current)
                await rotation.drop()
        finally:
            rotated.set()
        assert len(seen) == 5

    async with asyncio.TaskGroup() as group:
        group.create_task(serve(one, owners[:5]))
        group.create_task(serve(two, owners[5:]))
        group.create_task(rotate())
    assert rounds >= 2
    await rotation.rotate()
    await rotation.drop()
    status = await rotation.status()
    assert status.stored == {status.vault.current: 10}
    assert status.vault.ids == (status.vault.current,)
    fresh, _ = await server()
    for owner in owners:
        assert (await fresh.find("openai", owner)).key is not None


async def test_a_key_that_is_stored_while_the_master_key_changes(server: Serve) -> None:
    """It was sealed under the old one, and came too late for the rotation: it is moved as well."""
    (slow, _), (_, rotation) = [await server() for _ in range(2)]
    await slow.store(LOCAL_OWNER, ConfigureProvider("openai", key=KEY))
    configs = slow._configs
    put = configs.put

    async def put_after_a_rotation(config: Any, *, rekeyed: bool) -> None:
        await rotation.rotate()
        assert await rotation.drop()
        await put(config, rekeyed=rekeyed)

    configs.put = put_after_a_rotation
    await slow.store(OwnerId("ada"), ConfigureProvider("openai", key="another-key"))
    configs.put = put
    status = await rotation.status()
    assert status.lost == {}
    fresh, _ = await server()
    assert (await fresh.find("openai", OwnerId("ada"))).key == "another-key"
    assert (await fresh.find("openai", LOCAL_OWNER)).key == KEY


async def test_a_key_that_comes_behind_the_rotations_back(
    server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was sealed under the old master key, and stands where the rotation has been already."""
    (settings, rotation), (other, _) = [await server() for _ in range(2)]
    await settings.store(LOCAL_OWNER, ConfigureProvider("openai", key=KEY))
    late = ProviderConfig(
        id="01800000-0000-7000-8000-000000000000",
        owner=OwnerId("ada"),
        provider="openai",
        settings=ProviderSettings(),
        version=1,
        updated_at=datetime.now(UTC),
    )
    sealed = await other._vault.seal("another-key", late.slot)
    late = msgspec.structs.replace(late, key_id=sealed.key_id, sealed=sealed.data)
    move = rotation._move

    async def move_and_be_overtaken(config: ProviderConfig) -> Any:
        if config.owner == LOCAL_OWNER:
            await other._configs.put(late, rekeyed=True)
        return await move(config)

    monkeypatch.setattr(rotation, "_move", move_and_be_overtaken)
    done = await rotation.rotate()
    assert done.moved == 2
    assert (await rotation.status()).stored == {done.current: 2}


async def test_a_change_that_comes_between_reading_and_moving(
    server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race is lost, as another version is there, and the key is moved the next time."""
    settings, rotation = await server()
    await settings.store(LOCAL_OWNER, ConfigureProvider("openai", key=KEY))
    rewrap, changes = rotation._vault.rewrap, iter([True])

    async def rewrap_and_be_overtaken(*given: Any) -> Any:
        if next(changes, False):
            request = ConfigureProvider("openai", default_model="openai/x")
            await settings.store(LOCAL_OWNER, request)
        return await rewrap(*given)

    monkeypatch.setattr(rotation._vault, "rewrap", rewrap_and_be_overtaken)
    done = await rotation.rotate()
    assert (done.moved, done.left) == (1, {})
    assert (await rotation.status()).stored == {done.current: 1}


async def test_a_rotation_ends_and_says_what_is_left(
    server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody is always faster; what does not open is named apart and not counted twice."""
    (settings, rotation), (other, _) = [await server() for _ in range(2)]
    for owner in ("ada", "bob"):
        await settings.store(OwnerId(owner), ConfigureProvider("openai", key=KEY))
    (former,) = (await rotation.status()).stored
    (spoilt,) = await other._configs.find([OwnerId("bob")])
    sealed = Sealed(former, b"spoilt")
    assert await other._configs.rewrap(spoilt, sealed)
    sweeps = 0

    async def lose(_: ProviderConfig, __: Sealed) -> bool:
        nonlocal sweeps
        sweeps += 1
        return False

    monkeypatch.setattr(rotation._configs, "rewrap", lose)
    done = await rotation.rotate()
    assert (done.moved, done.left, sweeps) == (0, {former: 1}, key_rotation.SWEEPS)
    assert [config.owner for config in done.unreadable] == ["bob"]
    assert await rotation.drop() == ()


async def test_a_key_that_is_read_while_the_master_key_changes(server: Serve) -> None:
    """A process that has never met the old one reads again, and opens what is stored by now."""
    (settings, rotation), (fresh, _) = [await server() for _ in range(2)]
    await settings.store(LOCAL_OWNER, ConfigureProvider("openai", key=KEY))
    find, changes = fresh._configs.find, iter([True])

    async def find_before_a_rotation(*given: Any) -> Any:
        found = await find(*given)
        if next(changes, False):
            await rotation.rotate()
            assert await rotation.drop()
        return found

    fresh._configs.find = find_before_a_rotation
    assert (await fresh.find("openai", LOCAL_OWNER)).key == KEY
