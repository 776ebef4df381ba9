"""Help for tests, shipped so that authors of plugins can use it too.

    clock         a clock that goes on only when it is told to
    playbook      a turn as a script: inputs in, expected commands out
    simulation    a world around the turn's machine that can die at any point
    script        scripts for the provider that answers from one
    usage_day     a day's requests to models, and what they cost
    reader        a reader that refuses whatever the protocol rules out
    cutting_proxy a proxy that cuts connections at random bytes; also as a program
    http_host     a model's host on a socket, which does what a test says, however wrong
    model_host    a host of models that behaves, in OpenAI's format and Ollama's
    endpoint      where such a host is, for a provider
    port_suites   what every implementation of a port has to do, as tests

The suites and the playbook need pytest and pytest-asyncio; nothing else here does.
"""
