"""Which door this kernel goes through.

The server that started the kernel put its address and a token into the environment. Where they
are missing, the same services run in this very process. There is no third way: a kernel never
looks for servers, and an address that does not answer is an error and not a reason to go on
without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bestchat_server_ext.client.base import Client
from bestchat_server_ext.core.errors import InvalidRequest, NotInstalled


@dataclass(frozen=True)
class Connection:
    """A client, and what a person wants to know about it.

    Attributes:
        client: speaks to the services.
        door: `server`, or `in-process`.
        place: the server's address, or a word for this process.
        attended: whether somebody else can answer approvals while a cell runs.
    """

    client: Client
    door: Literal["server", "in-process"]
    place: str
    attended: bool


async def connect(environ: Mapping[str, str]) -> Connection:
    """Go through the door that the environment tells of.

    Raises:
        InvalidRequest: the environment tells of half a door, or of none that could be.
        NotInstalled: there is no server, and this is the light install.
        ChatError: as `bootstrap.open_application`.
    """
    url, token = environ.get("BESTCHAT_URL", ""), environ.get("BESTCHAT_TOKEN", "")
    if bool(url) != bool(token):
        missing = "BESTCHAT_TOKEN" if url else "BESTCHAT_URL"
        raise InvalidRequest(
            f"Only one half of the server's address is in the environment: {missing} is missing.",
            hint="Set both, or neither to work without a server.",
        )
    if url:
        from bestchat_server_ext.client.remote import RemoteClient

        return Connection(RemoteClient(url, token), "server", url.strip(), attended=True)
    return await _in_process(environ)


async def _in_process(environ: Mapping[str, str]) -> Connection:
    try:
        from bestchat_server_ext.bootstrap import open_application
        from bestchat_server_ext.client.inprocess import InProcessClient
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"There is no server, and working without one needs {error.name}.",
            hint="Run: pip install 'bestchat[lab]'",
        ) from error
    client = InProcessClient(await open_application(environ))
    return Connection(client, "in-process", "this kernel", attended=False)
