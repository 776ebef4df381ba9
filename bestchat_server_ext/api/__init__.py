"""The declaration of every operation, once, as a value.

From this list come the HTTP door, the in-process client, the OpenAPI document and the TypeScript
types.

    procedure                       Procedure[Request, Response]: name, models, scope, target
    conversations, turns, messages, files, approvals, events, models, providers, tokens, usage,
    system                          requests, responses and procedures of one topic
    decoding                        JSON from outside -> a value, or what is wrong with it and where
    error_body                      what an HTTP answer says when something went wrong
    frames                          what travels on the WebSocket
    closing                         why a WebSocket is closed, and whether to come back
    catalog                         all procedures, in order
    openapi                         the catalog as an OpenAPI 3.1 document
    schemas                         models as JSON Schema, with their docstrings as descriptions
"""
