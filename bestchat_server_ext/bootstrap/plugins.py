"""Providers that other packages bring."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

from bestchat_server_ext.core.catalog import ProviderFacts
from bestchat_server_ext.core.models import ModelFacts, ModelRef
from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.ports.catalog import Catalog
from bestchat_server_ext.ports.plugin import PROVIDERS_GROUP, ProviderPlugin

_log = logging.getLogger(__name__)

Plugin = ProviderFacts | ProviderPlugin


class ExtendedCatalog:
    """The catalogue, and what plugins add to it. Nothing of the catalogue's own is replaced."""

    def __init__(self, catalog: Catalog, plugins: Iterable[Plugin] = ()) -> None:
        """Put plugins behind a catalogue."""
        self._catalog = catalog
        self._facts: dict[str, ProviderFacts] = {}
        self._models: dict[str, dict[str, ModelFacts]] = {}
        self.plugins: dict[str, ProviderPlugin] = {}
        """The plugins that bring an adapter of their own, by name."""
        for plugin in plugins:
            self._add(plugin)

    def _add(self, plugin: Plugin) -> None:
        facts = plugin if isinstance(plugin, ProviderFacts) else plugin.facts
        if facts.name in self._facts or self._catalog.provider(facts.name) is not None:
            _log.warning("BestChat: a plugin's provider is left out: %r is known", facts.name)
            return
        self._facts[facts.name] = facts
        if isinstance(plugin, ProviderPlugin):
            self.plugins[facts.name] = plugin
            self._models[facts.name] = {model.ref: model for model in plugin.models}

    def providers(self) -> Sequence[ProviderFacts]:
        """All providers, those of plugins last."""
        return (*self._catalog.providers(), *self._facts.values())

    def provider(self, name: str) -> ProviderFacts | None:
        """One provider; none if there is no such one."""
        return self._facts.get(name) or self._catalog.provider(name)

    def models(self, provider: str) -> Sequence[ModelFacts]:
        """The models of a provider that chat, sorted by name."""
        if provider in self._facts:
            return tuple(sorted(self._models.get(provider, {}).values(), key=lambda it: it.ref))
        return self._catalog.models(provider)

    def model(self, ref: ModelRef) -> ModelFacts:
        """What is known of a model."""
        if ref.provider in self._facts:
            known = self._models.get(ref.provider, {}).get(str(ref))
            return known or ModelFacts(str(ref), known=False)
        return self._catalog.model(ref)

    def others(self, provider: str) -> Collection[str]:
        """Names of a provider's models that do not chat."""
        return () if provider in self._facts else self._catalog.others(provider)


def open_catalog() -> ExtendedCatalog:
    """The shipped catalogue, with what installed packages add to it. Reads files."""
    from bestchat_server_ext.adapters import catalog_file

    return ExtendedCatalog(catalog_file.open_catalog(), installed_plugins())


def installed_plugins() -> list[Plugin]:
    """The providers of installed packages; a broken one is left out, and said."""
    found = []
    for entry in entry_points(group=PROVIDERS_GROUP):
        try:
            found.append(_loaded(entry))
        except Exception as error:  # noqa: BLE001  plugins are not ours; one must not stop the others
            _log.warning("BestChat: the provider %s is left out: %s", entry.name, origin(error))
    return found


def _loaded(entry: EntryPoint) -> Plugin:
    plugin = entry.load()
    if callable(plugin):
        plugin = plugin()
    if not isinstance(plugin, ProviderFacts | ProviderPlugin):
        raise TypeError("it is neither a ProviderFacts nor a ProviderPlugin")
    return plugin
