"""The formats that providers speak: bytes in, chunks out, nothing else.

sse       server-sent events: bytes -> data of one event after another
openai    chat completions, spoken by OpenAI and everything compatible with it
"""
