from __future__ import annotations

from bestchat_server_ext.adapters.secrets_env import EnvSecrets


def test_a_key_is_looked_up_each_time() -> None:
    environ: dict[str, str] = {}
    secrets = EnvSecrets(environ)
    assert secrets.get("OPENAI_API_KEY") is None
    environ["OPENAI_API_KEY"] = "sk-1"
    assert secrets.get("OPENAI_API_KEY") == "sk-1"


def test_white_space_is_no_part_of_a_key() -> None:
    secrets = EnvSecrets({"A": " sk-1\n", "B": "  ", "C": ""})
    assert [secrets.get(name) for name in "ABC"] == ["sk-1", None, None]
