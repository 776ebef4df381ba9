"""ToolExecutor: which tools there are, and running a call that was approved."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bestchat_server_ext.core.origin import origin
from bestchat_server_ext.core.policy import Rule
from bestchat_server_ext.core.tools import ToolExecution, ToolResult, ToolSpec
from bestchat_server_ext.ports.tool_host import ToolHost

_log = logging.getLogger(__name__)


class ToolExecutor:
    """Finds the host of a tool and has it run there."""

    def __init__(self, hosts: Sequence[ToolHost], rules: Sequence[Rule] = ()) -> None:
        """Offer the tools of these hosts under this policy; an earlier host wins a name."""
        self._hosts = hosts
        self.rules = tuple(rules)

    def specs(self) -> dict[str, ToolSpec]:
        """The tools on offer, by name."""
        found: dict[str, ToolSpec] = {}
        for host in self._hosts:
            for spec in host.tools():
                found.setdefault(spec.name, spec)
        return found

    async def run(self, execution: ToolExecution) -> ToolResult:
        """Run a call on the first host that has the tool."""
        name = execution.call.name
        for host in self._hosts:
            if any(spec.name == name for spec in host.tools()):
                try:
                    return _storable(await host.run(execution))
                except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin's mistake fails its call only
                    _log.error("BestChat: the host of tool %s failed: %s", name, origin(error))
                    return ToolResult("The tool could not be run.", is_error=True)
        return ToolResult(f"There is no tool named {name!r} any more.", is_error=True)


def _storable(result: ToolResult) -> ToolResult:
    """Text that can be written: names of files, for one, may hold what UTF-8 has no bytes for."""
    content = result.content.encode(errors="replace").decode()
    return ToolResult(content, is_error=result.is_error)
