"""The only place that chooses and builds adapters.

Each is imported where it is chosen, so that what is not used is not loaded.

    application     services around an open database: what both doors open
    providers       which providers there are
    sharing         bus and cache, of this process alone or of several servers
    plugins         those that other packages bring
    observers       who is told what happens
    keys            what stores keys, and what protects them; also for the command
    administration  models and database, for the command
"""

from __future__ import annotations

from bestchat_server_ext.bootstrap.application import Application, open_application

__all__ = ["Application", "open_application"]
