"""A tool host: which tools there are in one place, and running them there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bestchat_server_ext.core.tools import ToolExecution, ToolResult, ToolSpec


class ToolHost(Protocol):
    """Runs tools in one place."""

    def tools(self) -> Sequence[ToolSpec]:
        """What it can run."""
        ...

    async def run(self, execution: ToolExecution) -> ToolResult:
        """Run `execution.effective` and give what came of it.

        A tool that fails gives a result that says so; nothing but cancellation is raised. When
        the awaiting task is cancelled, the tool is told to stop.
        """
        ...
