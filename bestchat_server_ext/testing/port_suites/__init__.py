"""Conformance suites: what every implementation of a port has to do, as tests.

    storage, tokens, usage, bus, cache, catalog, clock, provider, telemetry  one suite for each port
    files, uploads                                             likewise
    vault, provider_configs                                                  likewise
    scene                                                      conversations for that of storage
    histories                                       whatever can happen in one, for a property test

Derive a class from a suite, define the fixtures that the suite's docstring names, and pytest runs
it. Needs pytest-asyncio with `asyncio_mode = "auto"`.
"""
