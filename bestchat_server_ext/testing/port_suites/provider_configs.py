"""What every store of providers' settings has to do, as tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bestchat_server_ext.core.errors import Conflict
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.provider_settings import ProviderSettings
from bestchat_server_ext.core.vault import Sealed
from bestchat_server_ext.ports.provider_configs import SITE, ProviderConfig, ProviderConfigs
from bestchat_server_ext.testing.clock import START, ManualClock

ADA, BOB = OwnerId("ada"), OwnerId("bob")

_clock = ManualClock(origin=11)


def _config(provider: str = "openai", owner: OwnerId = ADA, **fields: Any) -> ProviderConfig:  # noqa: ANN401
    config = ProviderConfig(
        id=_clock.new_id(),
        owner=owner,
        provider=provider,
        settings=ProviderSettings(),
        version=1,
        updated_at=START,
    )
    return msgspec.structs.replace(config, **fields)


def _sealed(key_id: str = "first", **fields: Any) -> ProviderConfig:  # noqa: ANN401
    return _config(key_id=key_id, sealed=b"\x01\x00\xff", last_four="1234", **fields)


class ProviderConfigsSuite:
    """The tests. Define the fixture `configs`: an empty store."""

    async def test_what_is_stored_comes_back_as_it_was(self, configs: ProviderConfigs) -> None:
        """Whatever is in it, and whatever is missing from it."""
        settings = ProviderSettings(
            "https://ada.example/v1", "openai/größe", ("gcloud", "print", "--quiet"), 60.5
        )
        full = _sealed(settings=settings, updated_at=START + timedelta(microseconds=1))
        bare = _config("anthropic")
        for config in (full, bare):
            await configs.put(config, rekeyed=True)
        found = {config.provider: config for config in await configs.find([ADA])}
        assert found == {"openai": full, "anthropic": bare}

    async def test_owners_and_providers_are_kept_apart(self, configs: ProviderConfigs) -> None:
        """The site's are found with an owner's own where both are asked for."""
        mine, other, site = _config(), _config(owner=BOB), _config(owner=SITE)
        for config in (mine, other, site, _config("anthropic")):
            await configs.put(config, rekeyed=True)
        assert await configs.find([ADA], "openai") == (mine,)
        assert set(await configs.find([SITE, BOB], "openai")) == {site, other}
        assert len(await configs.find([ADA])) == 2
        assert await configs.find([ADA], "ollama") == ()
        assert await configs.find([]) == ()

    async def test_a_version_replaces_the_one_before(self, configs: ProviderConfigs) -> None:
        """And no other: who has not seen the newest one does not write over it."""
        first = _sealed()
        await configs.put(first, rekeyed=True)
        second = msgspec.structs.replace(first, version=2, last_four="5678", sealed=b"new")
        await configs.put(second, rekeyed=True)
        assert await configs.find([ADA]) == (second,)
        for stale in (
            second,
            msgspec.structs.replace(second, version=4),
            _config(),
            _config("anthropic", version=2),
        ):
            with pytest.raises(Conflict):
                await configs.put(stale, rekeyed=True)
        assert await configs.find([ADA]) == (second,)

    async def test_of_several_at_once_one_gets_through(self, configs: ProviderConfigs) -> None:
        """Both where there is nothing yet, and where there is something."""
        firsts = [_config() for _ in range(5)]
        puts = (configs.put(config, rekeyed=True) for config in firsts)
        results = await asyncio.gather(*puts, return_exceptions=True)
        assert [type(result) for result in results].count(Conflict) == 4
        (kept,) = await configs.find([ADA])
        seconds = [
            msgspec.structs.replace(kept, version=2, last_four=str(number)) for number in range(5)
        ]
        puts = (configs.put(config, rekeyed=True) for config in seconds)
        results = await asyncio.gather(*puts, return_exceptions=True)
        assert results.count(None) == 1
        assert (await configs.find([ADA]))[0] == seconds[results.index(None)]

    async def test_a_key_that_stays_is_not_written(self, configs: ProviderConfigs) -> None:
        """It may have been wrapped anew since it was read."""
        first = _sealed()
        await configs.put(first, rekeyed=True)
        assert await configs.rewrap(first, Sealed("second", b"renewed"))
        settings = ProviderSettings(default_model="openai/other")
        changed = msgspec.structs.replace(first, version=2, settings=settings)
        await configs.put(changed, rekeyed=False)
        (found,) = await configs.find([ADA])
        assert (found.settings, found.version) == (settings, 2)
        assert (found.key_id, found.sealed, found.last_four) == ("second", b"renewed", "1234")

    async def test_what_is_forgotten_is_gone(self, configs: ProviderConfigs) -> None:
        """Of that owner and that provider only; and it may be stored again."""
        for config in (_config(), _config("anthropic"), _config(owner=BOB), _config(owner=SITE)):
            await configs.put(config, rekeyed=True)
        assert await configs.forget(ADA, "openai")
        assert not await configs.forget(ADA, "openai")
        assert await configs.find([ADA], "openai") == ()
        assert len(await configs.find([ADA, BOB, SITE])) == 3
        again = _config()
        await configs.put(again, rekeyed=True)
        assert await configs.find([ADA], "openai") == (again,)

    async def test_keys_under_other_master_keys_are_found(self, configs: ProviderConfigs) -> None:
        """Page by page, of all owners; what has no key is left out."""
        old = [_sealed(owner=OwnerId(f"owner {number}")) for number in range(5)]
        for config in (*old, _sealed("second", owner=ADA), _config(owner=BOB)):
            await configs.put(config, rekeyed=True)
        assert await configs.key_ids() == {"first": 5, "second": 1}
        seen, after = list[ProviderConfig](), ""
        while page := await configs.sealed_otherwise("second", after=after, limit=2):
            assert len(page) <= 2
            seen += page
            after = page[-1].id
        assert seen == sorted(old, key=lambda config: config.id)

    async def test_a_key_is_wrapped_anew_if_it_is_still_the_same(
        self, configs: ProviderConfigs
    ) -> None:
        """It is no new version; and who was faster is not written over."""
        first, renewed = _sealed(), Sealed("second", b"renewed")
        await configs.put(first, rekeyed=True)
        assert await configs.rewrap(first, renewed)
        assert not await configs.rewrap(first, Sealed("third", b"late"))
        (found,) = await configs.find([ADA])
        assert found == msgspec.structs.replace(first, key_id="second", sealed=b"renewed")
        second = msgspec.structs.replace(found, version=2, sealed=b"another")
        await configs.put(second, rekeyed=True)
        assert not await configs.rewrap(found, Sealed("third", b"late"))
        assert await configs.find([ADA]) == (second,)
        assert await configs.key_ids() == {"second": 1}
