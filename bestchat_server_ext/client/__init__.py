"""Clients, near and far: the same calls through two doors.

base         Client: call(procedure, request), follow(conversation)
inprocess    the services in this very process
remote       a server behind HTTP and WebSocket; aiohttp
address      a server's address, and how it is reached
position     how far a reader has come, and what is new to it
retry        when to come back to a server that was lost
"""
