"""`bestchat keys`: providers' keys at rest, and the master keys that they are encrypted under."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bestchat_server_ext.command.terminal import Topics, complain, patiently, say
from bestchat_server_ext.core.errors import ChatError

if TYPE_CHECKING:
    from bestchat_server_ext.api.providers import ConfigureProvider, StoredProvider
    from bestchat_server_ext.command.report import Finding
    from bestchat_server_ext.command.setup import Setup
    from bestchat_server_ext.core.ids import OwnerId
    from bestchat_server_ext.core.provider_settings import KeyCommand
    from bestchat_server_ext.ports.provider_configs import ProviderConfig
    from bestchat_server_ext.settings import Settings


def add_parser(topics: Topics) -> None:
    """Declare the topic."""
    help_ = "providers' keys, encrypted, and what they are encrypted under"
    verbs = topics.add_parser("keys", help=help_, description=f"Manage {help_}.").add_subparsers(
        required=True, metavar="verb", title="verbs"
    )
    status = verbs.add_parser(
        "status",
        help="where the master keys are, and what they open",
        description="Say where the master keys are, and how many providers' keys each opens.",
    )
    status.set_defaults(run=_status)
    rotate = verbs.add_parser(
        "rotate",
        help="encrypt all keys under a new master key",
        description="Encrypt all keys under a new master key, while servers go on serving. Where "
        "BESTCHAT_MASTER_KEYS is set, the first key in it is the new one: set it to new,old for "
        "all servers and restart them, run this, then take the old one out.",
    )
    rotate.add_argument(
        "--drop-old",
        action="store_true",
        help="afterwards forget the master keys that open nothing any more",
    )
    rotate.set_defaults(run=_rotate)
    _add_storing(verbs)


def _add_storing(verbs: Topics) -> None:
    set_ = verbs.add_parser(
        "set",
        help="store a provider's key",
        description="Store a provider's key, encrypted. It is asked for, or read from standard "
        "input, so that it stands in no history of a shell.",
    )
    _add_common(set_)
    set_.add_argument("--url", help="where the provider is, if not in its usual place")
    set_.set_defaults(run=_set)
    command = verbs.add_parser(
        "set-command",
        help="name a command that prints a provider's key",
        description="Name a command that prints a provider's key, for keys that do not last. It is "
        "run without a shell, as you, whenever the last key it printed is too old or was refused.",
    )
    _add_common(command)
    command.add_argument("--url", help="where the provider is, if not in its usual place")
    command.add_argument(
        "--seconds", type=float, default=300.0, help="how long a key is used; 300, if not said"
    )
    command.add_argument("command", nargs="+", help="the command with its arguments, after --")
    command.set_defaults(run=_set_command)
    forget = verbs.add_parser(
        "forget",
        help="delete what is stored for a provider",
        description="Delete what is stored for a provider, its key included.",
    )
    _add_common(forget)
    forget.set_defaults(run=_forget)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("provider", help="the provider, for example openai")
    parser.add_argument(
        "--site",
        action="store_true",
        help="for everybody who uses this database; what a user has stored, and the environment, "
        "go first",
    )


def _settings() -> Settings:
    from bestchat_server_ext import settings

    return settings.load(os.environ)


def _owner(options: argparse.Namespace) -> OwnerId:
    from bestchat_server_ext.core.ids import LOCAL_OWNER
    from bestchat_server_ext.ports.provider_configs import SITE

    return SITE if options.site else LOCAL_OWNER


def _status(_: argparse.Namespace) -> int:
    from bestchat_server_ext.bootstrap import keys

    status = patiently("Looking at the keys", lambda: keys.keys_status(_settings(), os.environ))
    vault = status.vault
    say(f"Master keys are in {vault.place}.")
    for key_id in vault.ids:
        role = "seals" if key_id == vault.current else "opens only"
        say(f"  {key_id}  {role}, opens {status.opens(key_id)} stored keys")
    if not vault.ids:
        say("  There is none yet: the first key that is stored makes one.")
    if vault.notice:
        complain(f"bestchat: {vault.notice}")
    for key_id, count in status.lost.items():
        complain(f"bestchat: {count} stored keys need the master key {key_id}, which is gone.")
    for config in status.unreadable:
        complain(f"bestchat: {_called(config)} is unreadable: enter it again.")
    return 1 if status.lost or status.unreadable else 0


def _called(config: ProviderConfig) -> str:
    whose = f"of {config.owner}" if config.owner else "of the site"
    return f"the key {whose} for {config.provider}"


def _rotate(options: argparse.Namespace) -> int:
    from bestchat_server_ext.bootstrap import keys

    settings = _settings()
    done = patiently("Encrypting keys anew", lambda: keys.rotate_keys(settings, os.environ))
    say(f"The master key is {done.current} now; {done.moved} keys were encrypted anew.")
    for config in done.unreadable:
        complain(f"bestchat: {_called(config)} is unreadable; it stays.")
    for key_id, count in done.left.items():
        complain(
            f"bestchat: {count} keys are under the former master key {key_id} again, as they were "
            "stored meanwhile: run this once more."
        )
    if options.drop_old:
        dropped = keys.drop_keys(settings, os.environ)
        say(f"Dropped: {', '.join(dropped) or 'none'}.")
    return 1 if done.unreadable or done.left else 0


def _set(options: argparse.Namespace) -> int:
    from bestchat_server_ext.api.providers import ConfigureProvider
    from bestchat_server_ext.core.provider_settings import require_key

    key = require_key(_asked_for(f"Key for {options.provider}: "))
    request = ConfigureProvider(options.provider, key=key, base_url=options.url)
    stored = _store(options, request)
    say(f"Stored the key for {stored.provider}{_ending(stored)}.")
    return 0


def _ending(stored: StoredProvider) -> str:
    return f", which ends in {stored.last_four}" if stored.last_four else ""


def _asked_for(question: str) -> str:
    """A secret: typed without an echo, or one line of standard input."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(question)
    return sys.stdin.readline()


def _set_command(options: argparse.Namespace) -> int:
    from bestchat_server_ext.api.providers import ConfigureProvider
    from bestchat_server_ext.core.provider_settings import KeyCommand

    request = ConfigureProvider(options.provider, base_url=options.url)
    stored = _store(options, request, KeyCommand(tuple(options.command), options.seconds))
    say(f"The key for {stored.provider} is printed by {options.command[0]} from now on.")
    return 0


def _store(
    options: argparse.Namespace, request: ConfigureProvider, command: KeyCommand | None = None
) -> StoredProvider:
    from bestchat_server_ext.bootstrap import keys

    settings, owner = _settings(), _owner(options)
    stored = patiently(
        "Storing the key",
        lambda: keys.store_key(settings, os.environ, owner, request, command),
    )
    for notice in (*stored.notices, *keys.look_at_keys(settings, os.environ)[1]):
        complain(f"bestchat: {notice}")
    return stored


def _forget(options: argparse.Namespace) -> int:
    from bestchat_server_ext.bootstrap import keys

    keys.forget_key(_settings(), os.environ, _owner(options), options.provider)
    say(f"Nothing is stored for {options.provider} any more.")
    return 0


def check(here: Setup) -> Iterator[Finding]:
    """For the doctor: what keys are encrypted under, and which of them do not open."""
    from bestchat_server_ext.bootstrap import keys
    from bestchat_server_ext.command.report import ok, warning

    place, notices = keys.look_at_keys(here.loaded.settings, here.environ)
    yield ok(place)
    for notice in notices:
        yield warning(notice, "Set BESTCHAT_MASTER_KEYS, if that is not enough.")
    if isinstance(here.stored, ChatError):
        yield warning(
            f"Stored keys were not looked at: {here.stored.info.text}", here.stored.info.hint
        )
        return
    for name, count in sorted(here.stored.unreadable.items()):
        yield warning(
            f"{_counted(count)} for {name} cannot be read: damaged, or the master key is gone.",
            f"Enter it again (bestchat keys set {name}), or bring the master key back: "
            "BESTCHAT_MASTER_KEYS, the file master.key, or an unlocked keyring.",
        )


def _counted(count: int) -> str:
    return "The stored key" if count == 1 else f"{count} stored keys"
