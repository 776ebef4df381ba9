"""Values and decisions: what is true, and what follows from it.

Nothing in here waits, reads a clock, opens a file or logs; time and ids come in as arguments.

    ids, errors                     free to everyone
    tools, models, messages         what is said, by whom, with which tools
    events                          past-tense facts, and deltas that are not facts yet
    conversation                    reduce(snapshot, event): rows and clients change alike
    conversation_settings, queue    what is set for a conversation; messages that wait in it
    files, file_types               what is attached; what a file is, by its first bytes
    search, fences                  what can be found; what of a text is code
    export, importing, copying      conversations as files, out of files, and as others' beginning
    window                          what is sent when a model cannot take everything
    request, reply                  what goes to a model; what comes back, piece by piece
    policy, access, site            what may happen: for tool calls, for callers, at all here
    provider_settings, vault        which key counts; how a secret looks at rest
    tokens                          how our own credentials look
    cost                            tokens and prices to money; estimates
    failover                        after a failed attempt: once more, another model, or the end
    catalog                         what is known of a provider, as data
    origin                          where an exception came from, without what it says
    script                          scripted answers, for tests and demonstrations
    turn                            the machine: inputs in, commands out
    wire                            bytes in, chunks out: the formats that providers speak
"""
