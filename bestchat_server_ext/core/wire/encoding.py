"""What requests of several formats say in the same way."""

from __future__ import annotations

from base64 import b64encode

import msgspec

from bestchat_server_ext.core.tools import JsonObject, ToolCall, ToolSpec


def base64(data: bytes) -> str:
    """Bytes as text."""
    return b64encode(data).decode()


def function(tool: ToolSpec) -> JsonObject:
    """A tool, as OpenAI declares one and others after it."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    }


def arguments(call: ToolCall) -> msgspec.Raw | JsonObject:
    """The arguments of a call for a format that wants an object there, not JSON text.

    An object goes back byte for byte as it was written. A model may have written something else;
    that is shown to it under a name that says so.
    """
    try:
        call.parsed()
    except ValueError:
        return {"INVALID_JSON": call.arguments}
    return msgspec.Raw((call.arguments or "{}").encode())
