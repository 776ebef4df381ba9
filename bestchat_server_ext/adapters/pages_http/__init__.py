"""Pages over HTTP, fetched as a stranger would: the port `PageSource`.

    source     an address -> what is there, redirects and limits included
    resolver   names -> addresses that everybody could reach; loads aiohttp
    threads    where names are looked up: nothing waits for them in the end

Every name is resolved here, all its addresses are checked, and the connection goes to one of those
that were checked: a name that means something else a moment later gains nothing. A redirect is an
address like any other. No cookies, no credentials and nothing that was kept from another fetch.

Behind a proxy of the environment it is the proxy that resolves. What resolves here too is checked
all the same; beyond that, where the proxy goes is the business of whoever runs it.
"""

from bestchat_server_ext.adapters.pages_http.source import HttpPages

__all__ = ["HttpPages"]
