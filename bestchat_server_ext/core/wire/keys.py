"""What may be shown of an error: all of it, but for a key that the provider repeated in it."""

from __future__ import annotations

import re

import msgspec

from bestchat_server_ext.core.errors import ChatError

_SHORTEST_START = 4
"""Characters; the beginning of a key that is this long is recognised at the end of a text."""

_SHORTEST_SECRET = 8
"""Characters; what is shorter is mostly a placeholder, such as `x` or `none` for a server that asks
for no key. Inside of words it stands by chance, so that only whole words are taken for it."""


def scrubbed(error: ChatError, *keys: str | None) -> ChatError:
    """The error without these keys."""
    for key in keys:
        if key:
            text, hint = _without(key, error.info.text), _without(key, error.info.hint)
            error.info = msgspec.structs.replace(error.info, text=text, hint=hint)
            error.args = (text,)
    return error


def tells(key: str | None, text: str) -> bool:
    """Whether a text holds the whole key, in any case of letters."""
    return bool(key) and _pattern(key or "").search(text) is not None


def _pattern(key: str) -> re.Pattern[str]:
    # In any case of letters: the name of a host, for one, comes back in small ones.
    literal = re.escape(key)
    if len(key) < _SHORTEST_SECRET:
        literal = rf"(?<!\w){literal}(?!\w)"
    return re.compile(literal, re.IGNORECASE)


def _without(key: str, text: str) -> str:
    text = _pattern(key).sub("***", text)
    if len(key) < _SHORTEST_SECRET:
        return text
    for length in range(min(len(key) - 1, len(text)), _SHORTEST_START - 1, -1):
        # A text that was cut to its greatest length may end in the middle of the key.
        if text.endswith(key[:length]):
            return text[:-length] + "***"
    return text
