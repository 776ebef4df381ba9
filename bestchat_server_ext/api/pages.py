"""Pages: what is said at an address that is mentioned in a prompt."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bestchat_server_ext.api.procedure import ApiRequest, Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.pages import LONGEST_ADDRESS, Page


class ReadPage(ApiRequest):
    """Read a page on the web."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ADDRESS)]
    """Its address, with http or https. Only what everybody on the Internet could reach is fetched,
    unless the site has made an exception; no cookies and no credentials go along."""


read = Procedure(
    name="pages.read",
    summary="Fetch a page and give its text, for a prompt that mentions it.",
    request=ReadPage,
    response=Page,
    scope=Scope.TURNS,
)
