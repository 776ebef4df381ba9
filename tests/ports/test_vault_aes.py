"""Keys at rest: the vault, and the places where master keys are."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backends import chainer, fail, null

from bestchat_server_ext.adapters.vault_aes import FILE_NAME, AesVault, look, open_vault
from bestchat_server_ext.adapters.vault_aes import keyring as module
from bestchat_server_ext.adapters.vault_aes.key_file import KeyFile
from bestchat_server_ext.adapters.vault_aes.keyring import Keyring, find_backend
from bestchat_server_ext.adapters.vault_aes.places import Places, Variable
from bestchat_server_ext.core.errors import InvalidRequest, KeyUnreadable, Unavailable
from bestchat_server_ext.core.vault import MasterKey, read_keys
from bestchat_server_ext.ports.vault import Vault
from bestchat_server_ext.testing.port_suites.vault import CANARY, SLOT, VaultSuite

OLD, NEW = (
    f"{name}:{base64.b64encode(bytes([n]) * 32).decode()}" for n, name in ((1, "old"), (2, "new"))
)


class FakeRing:
    """A keyring that keeps what it is given, and counts how often it is asked."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.reads = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.reads += 1
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


def there(path: Path) -> bool:
    return path.exists()


def modes(folder: Path) -> dict[str, int]:
    """Who may do what with a folder and the files in it."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


def vault_with(
    data_dir: Path, ring: Any = None, variable: str = "", *, shared: bool = False
) -> AesVault:
    """A vault on these places, as another process would have it."""
    file = KeyFile(data_dir / FILE_NAME)
    kept = Keyring(file.alone, data_dir, lambda: ring, limit_seconds=10)
    return AesVault(Places(Variable(variable), file, kept, shared=shared))


class TestOnAFile(VaultSuite):
    @pytest.fixture
    def vault(self, data_dir: Path) -> Vault:
        return vault_with(data_dir)


class TestOnAKeyring(VaultSuite):
    @pytest.fixture
    def vault(self, data_dir: Path) -> Vault:
        return vault_with(data_dir, FakeRing())


# The variable.


class TestTheVariable:
    async def test_the_first_one_seals_and_all_open(self, data_dir: Path) -> None:
        before = await vault_with(data_dir, variable=OLD).seal(CANARY, SLOT)
        vault = vault_with(data_dir, variable=f"{NEW},{OLD}")
        after = await vault.rewrap(before, SLOT)
        assert (before.key_id, after.key_id) == ("old", "new")
        assert await vault.open(before, SLOT) == CANARY
        assert await vault_with(data_dir, variable=NEW).open(after, SLOT) == CANARY
        with pytest.raises(KeyUnreadable):
            await vault_with(data_dir, variable=NEW).open(before, SLOT)
        assert not there(data_dir)

    async def test_it_is_not_changed_by_us(self, data_dir: Path) -> None:
        vault = vault_with(data_dir, variable=f"{NEW},{OLD}")
        assert (await vault.rotate()).current == "new"
        assert await vault.drop([]) == ()
        assert set((await vault.status()).ids) == {"new", "old"}
        assert not (await vault.status()).own

    async def test_keys_move_into_it_from_a_file(self, data_dir: Path) -> None:
        before = await vault_with(data_dir).seal(CANARY, SLOT)
        vault = vault_with(data_dir, variable=NEW)
        after = await vault.rewrap(before, SLOT)
        assert after.key_id == "new"
        assert await vault.drop(["new"]) == (before.key_id,)
        assert not (data_dir / FILE_NAME).exists()
        assert vault.notices() == ()
        assert await vault.open(after, SLOT) == CANARY

    @pytest.mark.parametrize(
        "text",
        ["nonsense", "a:b", "a:", f"{OLD},{OLD}", f"bad id:{OLD[4:]}", OLD[:-4], ":" + OLD[4:]],
    )
    def test_a_bad_one_is_refused_without_a_word_of_it(self, data_dir: Path, text: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            open_vault({"BESTCHAT_MASTER_KEYS": text}, data_dir, shared=False)
        assert "BESTCHAT_MASTER_KEYS" in str(caught.value)
        assert text not in str(caught.value)
        assert OLD[4:20] not in str(caught.value)

    async def test_for_several_servers_nothing_else_counts(self, data_dir: Path) -> None:
        """A key beside one server's files would be of no use to the others."""
        await vault_with(data_dir).seal(CANARY, SLOT)
        shared = vault_with(data_dir, FakeRing(), shared=True)
        for asked in (shared.seal(CANARY, SLOT), shared.status(), shared.rotate()):
            with pytest.raises(Unavailable, match="BESTCHAT_MASTER_KEYS"):
                await asked
        assert shared.notices() == ()
        given = vault_with(data_dir, variable=NEW, shared=True)
        assert await given.open(await given.seal(CANARY, SLOT), SLOT) == CANARY


# The file.


PROCESS = """
import asyncio, json, sys
from pathlib import Path
from bestchat_server_ext.adapters.vault_aes import open_vault
from bestchat_server_ext.core.vault import Slot
vault = open_vault({}, Path(sys.argv[1]), shared=False)
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(asyncio.run(vault.seal("a secret", Slot("a", "b", "c"))).key_id))
"""


class TestTheFile:
    async def test_it_is_for_its_owner_only(self, data_dir: Path) -> None:
        umask = os.umask(0)
        try:
            await vault_with(data_dir).seal(CANARY, SLOT)
        finally:
            os.umask(umask)
        found = modes(data_dir)
        assert found[FILE_NAME] == 0o600
        assert all(mode & 0o077 == 0 for mode in found.values())
        assert found[data_dir.name] == 0o700

    async def test_it_is_said_aloud(self, data_dir: Path) -> None:
        vault = vault_with(data_dir)
        assert vault.notices() == ()
        await vault.seal(CANARY, SLOT)
        for notices in (vault.notices(), vault_with(data_dir).notices()):
            (notice,) = notices
            assert "care and no wall" in notice
            assert str(data_dir / FILE_NAME) in notice
        assert look({}, data_dir, shared=False)[1] == vault.notices()

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
    async def test_one_that_others_may_read_is_refused(self, data_dir: Path, mode: int) -> None:
        sealed = await vault_with(data_dir).seal(CANARY, SLOT)
        (data_dir / FILE_NAME).chmod(mode)
        vault = vault_with(data_dir)
        for asked in (vault.open(sealed, SLOT), vault.seal(CANARY, SLOT), vault.rotate()):
            with pytest.raises(Unavailable, match="chmod 600"):
                await asked
        with pytest.raises(Unavailable, match="chmod 600"):
            look({}, data_dir, shared=False)
        (data_dir / FILE_NAME).chmod(0o600)
        assert await vault.open(sealed, SLOT) == CANARY

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"a:b,c:d"])
    async def test_a_broken_one_is_not_replaced(self, data_dir: Path, content: bytes) -> None:
        """Somebody may have a copy; an empty one holds nothing that could be lost."""
        await vault_with(data_dir).seal(CANARY, SLOT)
        path = data_dir / FILE_NAME
        path.write_bytes(content)
        if not content:
            assert (await vault_with(data_dir).seal(CANARY, SLOT)).key_id
            return
        with pytest.raises(Unavailable):
            await vault_with(data_dir).seal(CANARY, SLOT)
        assert path.read_bytes() == content

    async def test_twenty_processes_at_once_make_one(
        self, data_dir: Path, start_child: Callable[..., Any]
    ) -> None:
        children = [start_child(PROCESS, data_dir) for _ in range(20)]
        for child in children:
            child.expect("ready")
        for child in children:
            child.process.stdin.write("\n")
            child.process.stdin.flush()
        ids = {child.answer() for child in children}
        assert len(ids) == 1
        (key,) = read_keys((data_dir / FILE_NAME).read_text(), "the file")
        assert ids == {key.id}

    async def test_another_process_sees_a_new_one_at_once(self, data_dir: Path) -> None:
        one, other = vault_with(data_dir), vault_with(data_dir)
        old = await one.seal(CANARY, SLOT)
        assert await other.open(old, SLOT) == CANARY
        status = await other.rotate()
        assert (await one.seal(CANARY, SLOT)).key_id == status.current
        assert await one.open(await other.seal(CANARY, SLOT), SLOT) == CANARY

    async def test_who_has_known_a_key_goes_on_knowing_it(self, data_dir: Path) -> None:
        """So what was sealed under a key that was dropped just then can still be wrapped anew."""
        one, other = vault_with(data_dir), vault_with(data_dir)
        old = await one.seal(CANARY, SLOT)
        await other.rotate()
        assert await other.drop([]) == (old.key_id,)
        assert await one.open(await one.rewrap(old, SLOT), SLOT) == CANARY
        with pytest.raises(KeyUnreadable):
            await vault_with(data_dir).open(old, SLOT)

    async def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("a file")
        with pytest.raises(Unavailable, match=FILE_NAME):
            await vault_with(tmp_path / "data").seal(CANARY, SLOT)


# The keyring.


class TestTheKeyring:
    async def test_it_goes_before_a_file_that_is_not_there(self, data_dir: Path) -> None:
        ring = FakeRing()
        sealed = await vault_with(data_dir, ring).seal(CANARY, SLOT)
        assert not (data_dir / FILE_NAME).exists()
        assert len(ring.kept) == 1
        again = vault_with(data_dir, ring)
        assert await again.open(sealed, SLOT) == CANARY
        assert again.notices() == ()

    async def test_a_file_that_is_there_goes_on(self, data_dir: Path) -> None:
        """A keyring that appears later must not lead to two places with one key each."""
        sealed = await vault_with(data_dir).seal(CANARY, SLOT)
        ring = FakeRing()
        assert (await vault_with(data_dir, ring).seal(CANARY, SLOT)).key_id == sealed.key_id
        assert ring.kept == {}

    async def test_what_it_sealed_opens_beside_a_file(self, data_dir: Path) -> None:
        ring = FakeRing()
        sealed = await vault_with(data_dir, ring).seal(CANARY, SLOT)
        away = vault_with(data_dir)  # a session without the desktop
        with pytest.raises(KeyUnreadable):
            await away.open(sealed, SLOT)
        other = await away.seal(CANARY, SLOT)
        back = vault_with(data_dir, ring)
        assert [await back.open(item, SLOT) for item in (sealed, other)] == [CANARY, CANARY]

    async def test_each_database_has_an_entry_of_its_own(self, tmp_path: Path) -> None:
        """Or a rotation of the one would drop what the other still needs."""
        ring = FakeRing()
        one, other = (vault_with(tmp_path / name, ring) for name in ("a", "b"))
        sealed = await one.seal(CANARY, SLOT)
        await other.seal(CANARY, SLOT)
        await other.rotate()
        await other.drop([])
        assert await vault_with(tmp_path / "a", ring).open(sealed, SLOT) == CANARY

    async def test_who_comes_while_it_is_looked_for_waits(self, data_dir: Path) -> None:
        """Or one would seal under the keyring's key, and the other under a file's."""
        looking, found = threading.Event(), threading.Event()
        looks: list[bool] = []

        def find() -> Any:
            looks.append(True)
            looking.set()
            found.wait(60)
            return FakeRing()

        file = KeyFile(data_dir / FILE_NAME)
        vault = AesVault(Places(Variable(""), file, Keyring(file.alone, data_dir, find, 60)))
        first = asyncio.create_task(vault.seal(CANARY, SLOT))
        await asyncio.to_thread(looking.wait, 60)
        second = asyncio.create_task(vault.seal(CANARY, SLOT))
        done, _ = await asyncio.wait([second], timeout=0.2)
        assert done == set()
        found.set()
        assert (await first).key_id == (await second).key_id
        assert len(looks) == 1
        assert not there(data_dir / FILE_NAME)

    async def test_one_that_hangs_is_left_alone(self, data_dir: Path) -> None:
        let_go = threading.Event()
        asked: list[str] = []

        class Locked(FakeRing):
            def get_password(self, service: str, username: str) -> str | None:
                asked.append(f"{service}: {username}")
                let_go.wait(60)
                return None

        file = KeyFile(data_dir / FILE_NAME)
        ring = Keyring(file.alone, data_dir, Locked, limit_seconds=0.05)
        vault = AesVault(Places(Variable(""), file, ring))
        sealed = await vault.seal(CANARY, SLOT)
        assert await vault.open(sealed, SLOT) == CANARY
        assert (data_dir / FILE_NAME).exists()
        assert len(asked) == 1
        let_go.set()

    async def test_one_that_fails_is_left_alone(self, data_dir: Path) -> None:
        def find() -> Any:
            raise RuntimeError("no bus, and a secret in the message")

        file = KeyFile(data_dir / FILE_NAME)
        vault = AesVault(Places(Variable(""), file, Keyring(file.alone, data_dir, find)))
        assert (await vault.seal(CANARY, SLOT)).key_id
        assert (data_dir / FILE_NAME).exists()

    def test_stand_ins_do_not_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Plain(fail.Keyring):
            pass

        Plain.__module__ = "keyrings.alt.file"
        for backend in (fail.Keyring(), null.Keyring(), Plain()):
            monkeypatch.setattr(keyring, "get_keyring", lambda backend=backend: backend)
            assert find_backend() is None

    def test_a_real_one_is_found_behind_a_stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Real(fail.Keyring):
            pass

        Real.__module__ = module.REAL[0]
        real = Real()
        chain = chainer.ChainerBackend()
        monkeypatch.setattr(chainer.ChainerBackend, "backends", [null.Keyring(), real])
        monkeypatch.setattr(keyring, "get_keyring", lambda: chain)
        assert find_backend() is real


# What is not done.


async def test_nothing_heavy_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from bestchat_server_ext.adapters.vault_aes import open_vault\n"
        f"open_vault({{}}, Path({str(tmp_path)!r}), shared=False).notices()\n"
        "print([name for name in ('cryptography', 'keyring', 'filelock') if name in sys.modules])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.decode().strip() == "[]"


def test_a_master_key_does_not_show_itself() -> None:
    key = MasterKey.of(b"s" * 32)
    assert "ssss" not in repr(key)
    assert key.id in repr(key)
    assert key.__rich_repr__() == [("id", key.id)]
