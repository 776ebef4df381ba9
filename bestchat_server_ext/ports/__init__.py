"""Ports: what services need from the world, as small protocols.

Each has a conformance suite in `testing.port_suites` that every adapter passes.

    storage       conversations as events and rows; leases
    tokens        BestChat's own credentials, hashed
    usage         what was spent, and sums over it
    bus           live envelopes and deltas to whoever listens in this moment
    cache         what can be lost
    catalog       which providers and models are known, without asking any of them
    provider      one request in, chunks out
    endpoint      where an HTTP lane finds its server, and with which key
    credentials   what requests to providers are sent with, and for whom
    provider_configs  what is stored for providers: settings in the clear, keys encrypted
    vault         encrypts secrets, and knows where the master keys are
    tool_host     which tools there are, and running them
    secrets       a provider's key by the name of its variable
    files         the bytes of attached files, and what they say as text
    uploads       what is known of attached files
    clock         now, sleep, and new ids
    telemetry     who is told what happens to turns, in names and sizes
"""
