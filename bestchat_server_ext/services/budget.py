"""Budget: what a conversation may cost, and how many turns somebody may have under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bestchat_server_ext.core.conversation import Conversation
from bestchat_server_ext.core.cost import cost, dollars, picodollars, shown
from bestchat_server_ext.core.errors import LimitReached
from bestchat_server_ext.core.ids import OwnerId
from bestchat_server_ext.core.models import ModelRef, Usage
from bestchat_server_ext.ports.storage import Storage
from bestchat_server_ext.services.providers import ProviderRegistry
from bestchat_server_ext.services.usage import UsageService

_ONE_EACH = Usage(input_tokens=1, output_tokens=1)


class Budget:
    """Says no before something becomes too much."""

    def __init__(
        self,
        storage: Storage,
        providers: ProviderRegistry,
        usage: UsageService,
        *,
        most_turns: int,
        max_cost: str | None = None,
    ) -> None:
        """Work on these.

        Args:
            storage: knows the turns.
            providers: knows the prices.
            usage: knows what was spent.
            most_turns: turns that one owner may have under way.
            max_cost: US dollars that no conversation may go beyond, whatever it sets itself; none
                for no such limit.
        """
        self._storage = storage
        self._providers = providers
        self._usage = usage
        self._most_turns = most_turns
        self._max_cost = max_cost
        self._beginning: Counter[OwnerId] = Counter()

    @asynccontextmanager
    async def place(self, owner: OwnerId) -> AsyncIterator[None]:
        """Hold a place for one more turn, while it is being begun.

        Those that begin in this process at the same moment count; in others they do not yet.

        Raises:
            LimitReached: there are enough of them.
        """
        self._beginning[owner] += 1
        try:
            under_way = await self._storage.active_turns(owner)
            if under_way + self._beginning[owner] > self._most_turns:
                raise LimitReached(
                    f"{self._most_turns} turns are under way already, and more are not permitted.",
                    hint="Wait for one to end, or stop one; the option is `max_running_turns`.",
                )
            yield
        finally:
            self._beginning[owner] -= 1
            if not self._beginning[owner]:
                del self._beginning[owner]

    async def require_step(self, conversation: Conversation, model: ModelRef) -> None:
        """Allow one more request to a model.

        Raises:
            LimitReached: the conversation has cost what it may, or nobody can tell.
        """
        limit = self._limit(conversation)
        if limit is None:
            return
        if not await self.affordable(conversation, model):
            raise LimitReached(
                f"What {model} costs is not known, so that a limit of ${limit} cannot be kept.",
                hint="Choose a model whose price is known, or take the limit `max_cost` away.",
            )
        sums = await self._usage.spent(conversation.id)
        if sums.picodollars >= picodollars(limit):
            raise LimitReached(
                f"This conversation has cost {shown(sums.picodollars)}, and may cost "
                f"${dollars(picodollars(limit))}.",
                hint="Raise `max_cost` in its settings, or begin another conversation.",
            )
        if sums.unknown:
            raise LimitReached(
                f"What {sums.unknown} of this conversation's requests cost is not known, so that a "
                f"limit of ${limit} cannot be kept.",
                hint="Take the limit `max_cost` away, or begin another conversation.",
            )

    async def affordable(self, conversation: Conversation, model: ModelRef) -> bool:
        """Whether a model may stand in: where there is a limit, its price has to be known."""
        if self._limit(conversation) is None:
            return True
        prices = await self._providers.prices(conversation.owner, model)
        return cost(_ONE_EACH, prices) is not None

    def _limit(self, conversation: Conversation) -> str | None:
        limits = [text for text in (conversation.settings.max_cost, self._max_cost) if text]
        return min(limits, key=picodollars, default=None)
