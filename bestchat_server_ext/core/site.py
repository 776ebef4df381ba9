"""What the administrator of a site lets its users do with models.

This is policy and no wall: on a server of one's own, whoever runs it can change its configuration.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from bestchat_server_ext.core.errors import NotPermitted
from bestchat_server_ext.core.models import ModelRef

_PORTS = {"http": 80, "https": 443}
_WILDCARD = re.compile(r"[*?\[]")


class SitePolicy(msgspec.Struct, frozen=True):
    """The rules of a site; without any, everything is permitted."""

    allowed_models: tuple[str, ...] = ()
    """Patterns over model references, as in `openai/*`; all models, if there are none."""
    allowed_base_urls: tuple[str, ...] = ()
    """Addresses below which requests may be sent; any, if there are none."""
    user_keys: bool = True
    """Whether keys that users bring along are used."""

    def permits_model(self, ref: ModelRef) -> bool:
        """Whether a model may answer here."""
        patterns = self.allowed_models
        return not patterns or any(fnmatchcase(str(ref), pattern) for pattern in patterns)

    def require_model(self, ref: ModelRef) -> None:
        """Refuse a model that may not answer here.

        Raises:
            NotPermitted: it may not; names what may.
        """
        if not self.permits_model(ref):
            raise NotPermitted(
                f"This site does not permit the model {str(ref)!r}.",
                hint=f"It permits: {', '.join(self.allowed_models)}.",
                field="model",
            )

    def permits_provider(self, name: str, url: str | None) -> bool:
        """Whether some model of a provider may answer here.

        Args:
            name: the provider's name.
            url: where it is; none if that is not known.
        """
        beginnings = [_WILDCARD.split(pattern, maxsplit=1)[0] for pattern in self.allowed_models]
        named = not beginnings or any(
            f"{name}/".startswith(start) or start.startswith(f"{name}/") for start in beginnings
        )
        return named and (url is None or self.permits_url(url))

    def permits_url(self, url: str) -> bool:
        """Whether requests may be sent to an address."""
        bases = self.allowed_base_urls
        return not bases or any(_below(url, base) for base in bases)

    def require_url(self, url: str) -> None:
        """Refuse an address that requests may not be sent to.

        Raises:
            NotPermitted: they may not.
        """
        if not self.permits_url(url):
            host = urlsplit(url).hostname or "that server"
            raise NotPermitted(
                f"This site does not permit requests to {host}.",
                hint="The option `allowed_base_urls` lists what it permits.",
            )


def _below(url: str, base: str) -> bool:
    """Whether an address is on the same server as another, and below its path."""
    try:
        one, other = urlsplit(url), urlsplit(base)
        if _server(one) != _server(other):
            return False
    except ValueError:  # a port that is no number
        return False
    path, base_path = unquote(one.path), other.path.rstrip("/")
    if re.search("%(2f|5c|00)", one.path, re.IGNORECASE):  # servers differ in what these mean
        return False
    return ".." not in path.split("/") and f"{path}/".startswith(f"{base_path}/")


def _server(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
