"""Keys at rest: AES-256-GCM, under a master key from wherever there is one.

    vault      AesVault: seals, opens, wraps anew
    places     where master keys can be, and which of those places counts
    key_file   a file beside the database
    keyring    the keyring of the operating system

cryptography and keyring are loaded in a thread, when the first secret is sealed or opened.

Which place counts: the variable `BESTCHAT_MASTER_KEYS`, if it is set; else a key file, if there is
one; else the keyring, if there is a real one that answers; else a key file that is made then. Every
secret names the key that it is sealed with, and all places are searched for that one, so that keys
may move from one place to another.
"""

from __future__ import annotations

from bestchat_server_ext.adapters.vault_aes.places import FILE_NAME, look, open_vault
from bestchat_server_ext.adapters.vault_aes.vault import AesVault

__all__ = ["FILE_NAME", "AesVault", "look", "open_vault"]
