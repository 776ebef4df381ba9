"""What every catalogue has to do, as tests."""

from __future__ import annotations

from bestchat_server_ext.core.models import ModelRef
from bestchat_server_ext.ports.catalog import Catalog

NOBODY = "nobody-has-this-name"


class CatalogSuite:
    """The tests. Define the fixture `catalog`; one of its providers has models."""

    def test_every_provider_is_found_by_its_name(self, catalog: Catalog) -> None:
        """And no two have the same."""
        listed = catalog.providers()
        assert listed
        assert [catalog.provider(facts.name) for facts in listed] == list(listed)

    def test_every_model_is_found_by_its_reference(self, catalog: Catalog) -> None:
        """What the list says of it is what is said of it alone."""
        models = [facts for item in catalog.providers() for facts in catalog.models(item.name)]
        assert models
        assert all(facts.known for facts in models)
        assert [catalog.model(ModelRef.parse(facts.ref)) for facts in models] == models

    def test_models_belong_to_their_provider_and_are_sorted(self, catalog: Catalog) -> None:
        """By name, each one once."""
        for item in catalog.providers():
            refs = [ModelRef.parse(facts.ref) for facts in catalog.models(item.name)]
            names = [ref.model for ref in refs]
            assert {ref.provider for ref in refs} <= {item.name}
            assert names == sorted(set(names))

    def test_an_unknown_model_is_no_error(self, catalog: Catalog) -> None:
        """New models come every week; they are sent to their provider."""
        name = catalog.providers()[0].name
        facts = catalog.model(ModelRef(name, NOBODY))
        assert (facts.ref, facts.known, facts.prices) == (f"{name}/{NOBODY}", False, None)

    def test_an_unknown_provider_has_nothing(self, catalog: Catalog) -> None:
        """Nor is that an error: who asks may know it from elsewhere."""
        assert catalog.provider(NOBODY) is None
        assert list(catalog.models(NOBODY)) == []
        assert list(catalog.others(NOBODY)) == []
        assert catalog.model(ModelRef(NOBODY, "x")).known is False

    def test_nothing_both_chats_and_does_not(self, catalog: Catalog) -> None:
        """A name is in one of the two lists only."""
        for item in catalog.providers():
            names = {ModelRef.parse(facts.ref).model for facts in catalog.models(item.name)}
            assert names.isdisjoint(catalog.others(item.name))
