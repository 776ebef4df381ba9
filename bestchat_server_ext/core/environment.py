"""What of a server's environment is for nobody whom it starts: kernels, and commands."""

from __future__ import annotations

from collections.abc import Mapping

OUR_OWN = frozenset(
    {
        "BESTCHAT_DATABASE_URL",
        "BESTCHAT_REDIS_URL",
        "BESTCHAT_MASTER_KEYS",
        "BESTCHAT_URL",
        "BESTCHAT_TOKEN",
    }
)
"""Variables of ours that nobody inherits: secrets, and the way to the server in whose kernel or
terminal this one may have been started."""

POSTGRESQL = frozenset({"PGPASSWORD"})
"""Where PostgreSQL's own clients look for a password, and so do we. Where the database is a file it
is none of ours, and people's notebooks may need it."""

WITHHELD = OUR_OWN | POSTGRESQL
"""All of these."""


def inherited(environ: Mapping[str, str], withheld: frozenset[str] = WITHHELD) -> dict[str, str]:
    """What others get of an environment."""
    return {name: value for name, value in environ.items() if name not in withheld}
