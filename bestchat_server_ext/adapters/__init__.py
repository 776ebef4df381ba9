"""Translations: each adapter owns one heavy library and raises only errors of `core.errors`.

storage_sql                     conversations and tokens on SQLAlchemy: SQLite
bus_memory, cache_memory        for a single process
catalog_file                    the providers and models that ship with us
provider_http                   providers that speak over HTTP; aiohttp
provider_litellm                providers of the long tail; litellm
provider_scripted               answers from a script, for tests and demonstrations
local_model                     the embedded model in a child process; xllamacpp
endpoint_configured             a server whose address and key are configured
vault_aes                       keys at rest; cryptography, keyring
key_command                     commands that print keys
files_obstore                   attached files in a folder; obstore
file_texts                      what attached files say, read in a child process; pypdf, pyarrow
tools_server                    registered Python functions
secrets_env                     keys from the environment
clock_system                    the real time
telemetry_log                   a line for each turn
metrics_prometheus              counts and durations; prometheus_client
traces_otel                     spans; OpenTelemetry's API
"""
