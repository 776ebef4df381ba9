"""The catalogue, read from two files that ship with BestChat.

    providers.json  the table of providers, kept by hand
    models.json     their models, made by scripts/make_catalog.py from litellm's price map
    catalog         FileCatalog: both files, as values

Reading both takes a few milliseconds of disk and processor: `open_catalog` belongs into a thread.
The models of a provider are decoded when they are asked for.
"""

from __future__ import annotations

from bestchat_server_ext.adapters.catalog_file.catalog import FileCatalog, open_catalog

__all__ = ["FileCatalog", "open_catalog"]
