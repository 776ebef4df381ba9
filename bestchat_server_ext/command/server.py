"""Check: the server that this environment points to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from bestchat_server_ext.api import system
from bestchat_server_ext.api.procedure import PROTOCOL
from bestchat_server_ext.command.machine import installed
from bestchat_server_ext.command.report import Finding, ok, problem, warning
from bestchat_server_ext.core.errors import ChatError, NotAuthenticated, UnknownProcedure

LIMIT_SECONDS = 3.0
"""Who takes longer to say that all is well is not well."""


def server(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the server is reached, speaks our protocol and knows the token."""
    from bestchat_server_ext.settings import masked

    url, token = environ.get("BESTCHAT_URL", ""), environ.get("BESTCHAT_TOKEN", "")
    if not url and not token:
        yield ok("BESTCHAT_URL is not set: kernels started from here work without a server.")
        return
    if not url or not token:
        missing = "BESTCHAT_TOKEN" if url else "BESTCHAT_URL"
        yield problem(
            f"Only one half of the server's address is in the environment: {missing} is missing.",
            "Set both, or neither to work without a server.",
        )
        return
    yield ok(f"BESTCHAT_URL: {masked(url)}")
    yield from asyncio.run(_asked(url, token))


async def _asked(url: str, token: str) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await _ask(url, token, found)
    except TimeoutError:
        found.append(
            problem(
                f"It does not answer within {LIMIT_SECONDS:.0f} seconds.",
                "See whether it is busy, and whether something stands in the way.",
            )
        )
    return found


async def _ask(url: str, token: str, found: list[Finding]) -> None:
    from bestchat_server_ext.client.remote import RemoteClient

    client = RemoteClient(url, token)
    try:
        health = await client.call(system.health, system.GetHealth())
        found += _told(health)
        identity = await client.call(system.whoami, system.WhoAmI())
        found.append(ok(f"The token is valid: {identity.kind} of {identity.owner}."))
        listed = await client.call(system.options, system.ListOptions())
        found += [
            ok(f"There: {option.name} = {option.value or '(not set)'}  ({option.origin})")
            for option in listed.options
            if option.origin != system.DEFAULT_ORIGIN
        ]
    except UnknownProcedure:
        found.append(ok("It is an older one, which does not tell its options."))
    except NotAuthenticated:
        found.append(
            problem(
                "It is reached, and does not know the token in BESTCHAT_TOKEN.",
                "Restart the kernel to get a new one.",
            )
        )
    except ChatError as error:
        found.append(problem(error.info.text, error.info.hint))
    finally:
        await client.close()


def _told(health: system.Health) -> Iterator[Finding]:
    version = health.version or "of an unknown version"
    yield ok(f"It is reached: bestchat {version}, protocol {health.protocol}.")
    if health.protocol != PROTOCOL or health.version != installed("bestchat"):
        yield warning(
            f"Here is bestchat {installed('bestchat')}, protocol {PROTOCOL}.",
            "Install the same version on both sides.",
        )
    if health.error is not None:
        yield problem(health.error.text, health.error.hint)
    if health.database:
        yield ok(f"Its database is {health.database}.")
    for notice in health.notices:
        yield warning(notice, "It was found by the server.")
