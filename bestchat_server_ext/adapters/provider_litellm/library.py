"""Loading litellm, and leaving no trace of that."""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bestchat_server_ext.core.errors import NotInstalled

_ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",  # else it reads .env files into the environment
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches a list of prices
}
_LEFT_BEHIND = ("TIKTOKEN_CACHE_DIR",)
"""What it sets for itself."""

_AT_ONCE = ("litellm.litellm_core_utils.default_encoding", "openai.resources")
"""What the first answer would load else, on the event loop, and one of them into the environment.
"""
_FOR = {"bedrock": "boto3", "vertex_ai": "google.auth"}
"""What it loads in the same way for some of its providers, by its names for them."""

_loading = threading.Lock()
_loaded: list[Any] = []


def load(provider: str = "") -> Any:  # noqa: ANN401  it is not typed in any way that would help
    """The library, loaded if it is not; takes seconds, so this belongs into a thread.

    Args:
        provider: its name for the provider that is going to be asked.

    Raises:
        NotInstalled: it is not there.
    """
    with _loading:
        if not _loaded:
            try:
                with _environment():
                    library = importlib.import_module("litellm")
                    for name in _AT_ONCE:
                        importlib.import_module(name)
            except ModuleNotFoundError as error:
                raise missing(error) from None
            _quiet(library)
            _loaded.append(library)
        if (further := _FOR.get(provider)) is not None:
            with suppress(ModuleNotFoundError):  # which the request will say, and what to do
                importlib.import_module(further)
        return _loaded[0]


def missing(error: ImportError) -> NotInstalled:
    """The error for a package that is not there: litellm, or what it needs for a provider."""
    package = (error.name or "litellm").partition(".")[0]
    if package == "litellm":
        text, wanted = "This provider is reached through litellm", "'bestchat[lab]'"
    else:
        wanted = {"google": "google-auth"}.get(package, package)
        text = f"For this provider litellm needs {wanted}"
    return NotInstalled(f"{text}, which is not installed here.", hint=f"Run: pip install {wanted}")


@contextmanager
def _environment() -> Iterator[None]:
    """Its settings, for as long as it loads; then everything is as it was."""
    before = {name: os.environ.get(name) for name in (*_ENVIRONMENT, *_LEFT_BEHIND)}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _quiet(library: Any) -> None:  # noqa: ANN401  as above
    """Switch off what it says aloud, and what it opens beside its requests."""
    library.suppress_debug_info = True  # advertisements on standard output
    library.disable_streaming_logging = True
    library.disable_aiohttp_transport = True  # its sessions are never closed; httpx's are
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)  # prompts and answers


def is_loaded() -> bool:
    """Whether there is anything to let go of."""
    return bool(_loaded)
