"""What is stored for providers, and what a request to one is sent with.

Nothing of a key is remembered here: it is read and decrypted for every request, so that a change by
another process counts at once. The one exception are keys that a command prints, which are kept for
as long as its owner has said.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import msgspec

from bestchat_server_ext.api.providers import ConfigureProvider, StoredProvider
from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.errors import (
    Conflict,
    InvalidRequest,
    KeyUnreadable,
    NotPermitted,
    Unavailable,
    UnknownProvider,
)
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.core.provider_settings import (
    KEY_SECONDS,
    Credential,
    KeyCommand,
    Outlook,
    ProviderSettings,
    Source,
    choose,
    in_the_clear,
    last_four,
    require_base_url,
    require_key,
    same_server,
)
from bestchat_server_ext.core.site import SitePolicy
from bestchat_server_ext.ports.catalog import Catalog
from bestchat_server_ext.ports.clock import Clock
from bestchat_server_ext.ports.credentials import KeyCommands
from bestchat_server_ext.ports.provider_configs import SITE, ProviderConfig, ProviderConfigs
from bestchat_server_ext.ports.secrets import Secrets
from bestchat_server_ext.ports.vault import Vault

_ATTEMPTS = 5
"""How often a change is made again that names no version, when others change the same."""


class ProviderSettingsService:
    """Stores settings, and finds the credential for a request: the port `credentials`."""

    def __init__(
        self,
        configs: ProviderConfigs,
        vault: Vault,
        secrets: Secrets,
        catalog: Catalog,
        clock: Clock,
        site: SitePolicy = SitePolicy(),  # noqa: B008  it is frozen
        *,
        user_keys: bool = True,
        commands: KeyCommands | None = None,
    ) -> None:
        """Work on these.

        Args:
            configs: where settings are stored.
            vault: encrypts keys.
            secrets: the environment.
            catalog: which providers there are.
            clock: for times and ids.
            site: which addresses and models are permitted.
            user_keys: whether users may store keys, and theirs are used.
            commands: runs commands that print keys; none where that would run a user's commands
                as somebody else.
        """
        self._configs = configs
        self._vault = vault
        self._secrets = secrets
        self._catalog = catalog
        self._clock = clock
        self._site = site
        self._user_keys = user_keys
        self._commands = commands
        self._printed: dict[tuple[str, ...], tuple[str, float]] = {}
        self._printing: defaultdict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)

    # Use.

    async def find(self, provider: str, owner: OwnerId | None) -> Credential:
        """What a request for an owner is sent with.

        Raises:
            KeyUnreadable: a key is stored, and cannot be decrypted.
            Unavailable: what is stored is out of reach, or a command gives no key.
        """
        source, row = await self._chosen(provider, owner)
        url = self._variable(provider, "url_name")
        if row is None:
            return Credential(self._variable(provider, "key_name"), url, source)
        key = await self._key(row)
        return Credential(key, row.settings.base_url or url, source)

    async def renewed(
        self, provider: str, owner: OwnerId | None, refused: str
    ) -> Credential | None:
        """Another credential, after a provider refused a key; none if there is no other.

        Raises:
            KeyUnreadable: a key is stored, and cannot be decrypted.
            Unavailable: a command gives no key.
        """
        _, row = await self._chosen(provider, owner)
        if row is not None and row.settings.key_command:
            printed = self._printed.get(row.settings.key_command)
            if printed is not None and printed[0] == refused:
                self._printed.pop(row.settings.key_command)
        found = await self.find(provider, owner)
        return found if found.key not in {None, refused} else None

    async def source(self, owner: OwnerId | None, provider: str) -> Source | None:
        """Where the credential comes from; none where nothing is configured. Decrypts nothing."""
        return (await self._chosen(provider, owner))[0]

    async def outlook(self, owner: OwnerId | None) -> Outlook:
        """What an owner has set up of all providers. Decrypts nothing."""
        rows = await self._configs.find(self._owners(owner))
        found = Outlook(self._secrets.get, {}, {}, _defaults(rows))
        for facts in self._catalog.providers():
            source, row = self._choice(facts.name, rows)
            if source is not None:
                found.sources[facts.name] = source
            if row is not None:
                found.stored[facts.name] = self._variables(facts, row)
        return found

    def _variables(self, facts: ProviderFacts, row: ProviderConfig) -> dict[str, str]:
        """What would stand in a provider's variables, with a stand-in for the key."""
        holds_key = row.secret is not None or bool(row.settings.key_command)
        key = f"stored as {row.id}, version {row.version}" if holds_key else ""
        url = row.settings.base_url or self._variable(facts.name, "url_name") or ""
        pairs = ((facts.key_name, key), (facts.url_name, url))
        return {name: value for name, value in pairs if name}

    async def stored(self, owner: OwnerId) -> dict[str, StoredProvider]:
        """What an owner has stored, by provider, without any secret."""
        rows = await self._configs.find([owner])
        return {row.provider: _shown(row) for row in rows}

    async def unreadable(self, owner: OwnerId | None) -> frozenset[str]:
        """The providers that need their key again: what is stored of it does not open."""
        rows = await self._configs.find(self._owners(owner))
        names = {row.provider for row in rows}
        used = [row for name in names if (row := self._choice(name, rows)[1]) is not None]
        opens = await asyncio.gather(*map(self._opens, used))
        return frozenset(row.provider for row, good in zip(used, opens, strict=True) if not good)

    def notices(self) -> tuple[str, ...]:
        """What a person should know about how keys are kept, one sentence each."""
        return self._vault.notices()

    async def default_model(self, owner: OwnerId, provider: str) -> ModelRef | None:
        """The model that a provider answers with: the stored one, else the catalogue's.

        What was pointed elsewhere need not have the catalogue's, so there is none then.
        """
        rows = await self._configs.find(self._owners(owner), provider)
        if named := _defaults(rows).get(provider):
            return ModelRef.parse(named)
        facts = self._catalog.provider(provider)
        moved = self._variable(provider, "url_name") or any(row.settings.base_url for row in rows)
        return ModelRef(provider, facts.default) if facts and facts.default and not moved else None

    def model_of(self, provider: str, model: str | None, field: str = "model") -> ModelRef | None:
        """A model by its reference, which must be one of that provider.

        Raises:
            InvalidRequest: it is none; names the field that it stood in.
        """
        if not model:
            return None
        named, _, name = model.strip().partition("/")
        if named != provider or not name:
            raise InvalidRequest(
                f"{model!r} is no model of {provider}.",
                hint=f"Its models are written {provider}/ and a name.",
                field=field,
            )
        return ModelRef(named, name)

    def require_permitted(self, ref: ModelRef) -> None:
        """Refuse a model that the site does not permit.

        Raises:
            NotPermitted: it does not.
        """
        self._site.require_model(ref)

    # Change.

    async def configure(self, owner: OwnerId, request: ConfigureProvider) -> StoredProvider:
        """Store settings of an owner's own.

        Raises:
            NotPermitted: the site permits no keys of users', or not that address or model.
            InvalidRequest: something cannot be used, or the key has to be given again.
            Conflict: another version is there than the one that was to be changed.
            Unavailable: there is no safe place for a key.
        """
        return await self.store(owner, request)

    async def store(
        self, owner: OwnerId, request: ConfigureProvider, command: KeyCommand | None = None
    ) -> StoredProvider:
        """Store settings for an owner or for the site, with a command that prints the key if any.

        A command is run as the user of this process, so that it must come from that user: no
        procedure of the API leads here with one.

        Raises:
            ChatError: as for `configure`.
        """
        if owner != SITE and not self._user_keys:
            raise NotPermitted(
                "This site permits no keys of one's own.",
                hint="The option is `allow_user_keys`.",
            )
        checked = self._checked(request)
        if command and self._commands is None:
            raise NotPermitted(
                "Commands that print keys are run only where all belongs to one user.",
                hint="Store the key itself, or set the provider's own variable.",
            )
        rekeyed = request.key is not None or command is not None
        after = await self._put(owner, checked, command, rekeyed=rekeyed)
        if rekeyed:
            await self._settle(after)
        return _shown(after)

    async def _put(
        self,
        owner: OwnerId,
        request: ConfigureProvider,
        command: KeyCommand | None,
        *,
        rekeyed: bool,
    ) -> ProviderConfig:
        """Store the next version; a change that names no version is made on whatever is there."""
        attempts = 1 if request.version is not None else _ATTEMPTS
        for _ in range(attempts):
            before = await self._row(owner, request.provider)
            if request.version not in {None, 0 if before is None else before.version}:
                break
            after = await self._changed(owner, before, request, command)
            with suppress(Conflict):
                await self._configs.put(after, rekeyed=rekeyed)
                return after
        raise Conflict(
            "These settings have been changed meanwhile.",
            hint="Look at them again, and change them then.",
            field="version",
        )

    async def forget(self, owner: OwnerId, provider: str) -> None:
        """Delete what an owner has stored; well done also where there is nothing."""
        await self._configs.forget(owner, provider)

    def _checked(self, request: ConfigureProvider) -> ConfigureProvider:
        """The request, once all in it can be used."""
        facts = self._catalog.provider(request.provider)
        if facts is None:
            raise UnknownProvider(
                f"There is no provider named {request.provider!r}.",
                hint="providers.list names those that there are.",
                field="provider",
            )
        key, url, model = request.key, request.base_url, request.default_model
        if key and facts.key_name is None and facts.url_name is None:
            raise InvalidRequest(f"{facts.label} takes no key.", hint="Leave it out.", field="key")
        if url and facts.url_name is None:
            raise InvalidRequest(
                f"{facts.label} cannot be moved.", hint="Leave the address out.", field="base_url"
            )
        if url:
            url = require_base_url(url)
            self._site.require_url(url)
        if (ref := self.model_of(facts.name, model, "default_model")) is not None:
            self._site.require_model(ref)
        key = require_key(key) if key else key
        return msgspec.structs.replace(request, key=key, base_url=url)

    async def _changed(
        self,
        owner: OwnerId,
        before: ProviderConfig | None,
        request: ConfigureProvider,
        command: KeyCommand | None,
    ) -> ProviderConfig:
        """The next version of what is stored."""
        now = self._clock.now()
        after = before or ProviderConfig(
            id=self._clock.new_id(),
            owner=owner,
            provider=request.provider,
            settings=ProviderSettings(),
            version=0,
            updated_at=now,
        )
        settings = _with_changes(after.settings, request, command)
        if request.key is None and command is None:
            _require_same_place(after, settings)
        after = msgspec.structs.replace(
            after, settings=settings, version=after.version + 1, updated_at=now
        )
        if request.key is None and command is None:
            return after
        if not request.key:
            return msgspec.structs.replace(after, key_id=None, sealed=None, last_four="")
        sealed = await self._vault.seal(request.key, after.slot)
        return msgspec.structs.replace(
            after, key_id=sealed.key_id, sealed=sealed.data, last_four=last_four(request.key)
        )

    async def _settle(self, config: ProviderConfig) -> None:
        """Wrap a key anew if the master key was replaced while it was being stored.

        Whoever replaced it may have looked for keys to be wrapped anew just before this one.
        """
        if config.secret is not None:
            current = await self._vault.rewrap(config.secret, config.slot)
            if current != config.secret:
                await self._configs.rewrap(config, current)

    # Looking up.

    def _owners(self, owner: OwnerId | None) -> list[OwnerId]:
        """Whose rows count, the owner's own first."""
        return [SITE] if owner is None or not self._user_keys else [owner, SITE]

    async def _row(self, owner: OwnerId, provider: str) -> ProviderConfig | None:
        return next(iter(await self._configs.find([owner], provider)), None)

    async def _chosen(
        self, provider: str, owner: OwnerId | None
    ) -> tuple[Source | None, ProviderConfig | None]:
        rows = await self._configs.find(self._owners(owner), provider)
        return self._choice(provider, rows)

    def _choice(
        self, provider: str, rows: Sequence[ProviderConfig]
    ) -> tuple[Source | None, ProviderConfig | None]:
        """Which settings count, and the row that they stand in, if they are stored."""
        mine = [row for row in rows if row.provider == provider and row.speaks]
        user = next((row for row in mine if row.owner != SITE), None)
        site = next((row for row in mine if row.owner == SITE), None)
        source = choose(
            user=user is not None,
            environment=self._variable(provider, "key_name") is not None,
            site=site is not None,
            url=self._variable(provider, "url_name") is not None,
        )
        return source, {"user": user, "site": site}.get(source or "")

    def _variable(self, provider: str, which: Literal["key_name", "url_name"]) -> str | None:
        facts = self._catalog.provider(provider)
        name = None if facts is None else getattr(facts, which)
        return self._secrets.get(name) if name else None

    async def _key(self, row: ProviderConfig) -> str | None:
        if row.settings.key_command:
            return await self._print(row.settings)
        if row.secret is None:
            return None
        try:
            return await self._vault.open(row.secret, row.slot)
        except KeyUnreadable:
            # It may have been wrapped anew since it was read, and its former master key dropped.
            now = await self._row(row.owner, row.provider)
            if now is None or now.secret is None or now.secret == row.secret:
                raise
            return await self._vault.open(now.secret, now.slot)

    async def _opens(self, row: ProviderConfig) -> bool:
        if row.secret is None:
            return True
        try:
            await self._vault.open(row.secret, row.slot)
        except (KeyUnreadable, Unavailable):
            return False
        return True

    async def _print(self, settings: ProviderSettings) -> str:
        """The key that a command prints, for a while without running it again."""
        command = settings.key_command
        async with self._printing[command]:  # one that hangs keeps only its own users waiting
            kept = self._printed.get(command)
            if kept is not None and self._clock.monotonic() < kept[1]:
                return kept[0]
            if self._commands is None:
                raise Unavailable(
                    "This key is printed by a command, and commands are not run here.",
                    hint="Store the key itself, or set the provider's own variable.",
                )
            key = _require_printed(await self._commands.run(command))
            self._printed[command] = key, self._clock.monotonic() + settings.key_seconds
            return key


def _defaults(rows: Sequence[ProviderConfig]) -> dict[str, str]:
    """The default models that are stored, by provider; a user's own go before the site's."""
    ordered = sorted(rows, key=lambda row: row.owner != SITE)
    named = [row for row in ordered if row.settings.default_model]
    return {row.provider: row.settings.default_model for row in named}


def _require_printed(text: str) -> str:
    """A key that a command printed.

    Raises:
        Unavailable: it is none; nothing of it is repeated.
    """
    try:
        return require_key(text)
    except InvalidRequest as error:
        raise Unavailable(
            "The command that should print a key printed something else.",
            hint="Run it in a terminal: it has to print the key, and nothing else.",
        ) from error


def _with_changes(
    settings: ProviderSettings, request: ConfigureProvider, command: KeyCommand | None
) -> ProviderSettings:
    given = {"base_url": request.base_url, "default_model": request.default_model}
    changes: dict[str, object] = {name: text for name, text in given.items() if text is not None}
    if request.key is not None or command is not None:
        changes["key_command"] = command.arguments if command else ()
        changes["key_seconds"] = command.seconds if command else KEY_SECONDS
    return msgspec.structs.replace(settings, **changes)


def _require_same_place(before: ProviderConfig, settings: ProviderSettings) -> None:
    """Refuse to send a key somewhere else than where it was stored for."""
    holds_key = before.secret is not None or bool(before.settings.key_command)
    if holds_key and not same_server(before.settings.base_url, settings.base_url):
        raise InvalidRequest(
            "The stored key was given for another server.",
            hint="Give the key for the new one as well, or an empty one to remove it.",
            field="key",
        )


def _shown(row: ProviderConfig) -> StoredProvider:
    holds_key = row.secret is not None or bool(row.settings.key_command)
    host = in_the_clear(row.settings.base_url) if holds_key else None
    notice = f"The key travels to {host} unencrypted: anybody on the way can read it. Use https."
    return StoredProvider(
        provider=row.provider,
        has_key=row.secret is not None,
        last_four=row.last_four,
        key_command=bool(row.settings.key_command),
        base_url=row.settings.base_url,
        default_model=row.settings.default_model,
        version=row.version,
        updated_at=row.updated_at,
        notices=(notice,) if host else (),
    )
