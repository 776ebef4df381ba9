"""The formats that providers speak: bytes in, chunks out, nothing else.

lane        what a format is to the code that carries it
openai      chat completions, spoken by OpenAI and everything compatible with it
anthropic   messages, spoken by Anthropic; `anthropic_stream` reads their answers
ollama      chat, Ollama's own
encoding    what the requests of several formats say in the same way
decoding    what the decoders of all formats share
refusals    what providers say when they do not answer
keys        what may be shown of what they say
sse         server-sent events: bytes -> data of one event after another
jsonlines   newline-delimited JSON: bytes -> one line after another
"""
