"""What the panel asks the kernel of a notebook: which variables there are, and what one is like.

The panel has no way into a kernel but expressions that are evaluated beside the user's code. What
these give is JSON for it, and nothing that anybody would see in a notebook.
"""

from __future__ import annotations

from difflib import get_close_matches

from IPython.core.getipython import get_ipython

from bestchat_kernel.attachment import Attachment
from bestchat_kernel.mentions import is_code
from bestchat_kernel.namespace import variables
from bestchat_kernel.redaction import Redaction
from bestchat_kernel.summary import summarise

MOST_NAMES = 500
"""Variables that are named to choose from."""
_NEAR_MISSES = 3


class Told:
    """Something in JSON, for whoever evaluates an expression."""

    def __init__(self, data: object) -> None:
        """Say this."""
        self._data = data

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        return {"application/json": self._data, "text/plain": ""}


def names() -> Told:
    """The variables that can be mentioned, each with its type, the newest last."""
    found = _mentionable()
    last = list(found)[-MOST_NAMES:]
    return Told([[name, type(found[name]).__name__] for name in last])


def described(name: str) -> Told:
    """What a model gets to see of a variable; where there is none, names that are near."""
    found = _mentionable()
    if name in found:
        attachment = Attachment(name, summarise(found[name], name))
        return Told({"summary": Redaction().attachment(attachment).summary})
    return Told({"near": get_close_matches(name, found, _NEAR_MISSES)})


def _mentionable() -> dict[str, object]:
    shell = get_ipython()
    if shell is None:
        return {}
    return {name: value for name, value in variables(shell).items() if not is_code(value)}
