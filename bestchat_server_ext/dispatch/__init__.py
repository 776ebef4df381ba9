"""From the name of a procedure to the service that carries it out.

bindings      which service method answers which procedure
dispatcher    scope, ownership, call; every door goes through it
"""
