"""Ports: what services need from the world, as small protocols.

Each has a conformance suite in `testing.port_suites` that every adapter passes.

    storage       conversations as events and rows; leases
    tokens        BestChat's own credentials, hashed
    bus           live envelopes and deltas to whoever listens in this moment
    cache         what can be lost
    provider      one request in, chunks out
    endpoint      where an HTTP lane finds its server, and with which key
    tool_host     which tools there are, and running them
    secrets       a provider's key by the name of its variable
    clock         now, sleep, and new ids
    telemetry     who is told what happens to turns, in names and sizes
"""
