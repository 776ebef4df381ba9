"""Clients, near and far: the same calls through two doors.

base         Client: call(procedure, request), follow(conversation)
inprocess    the services in this very process
remote       a server behind HTTP and WebSocket; aiohttp
"""
