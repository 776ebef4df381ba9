"""The BestChat kernel: a cell is a message.

app         the kernel, an IPython kernel whose cells are read first
reading     what a cell is: a message, a command, or something for IPython
talk        what cells do here: %%message, %again, %run_code, /commands
kept        stored answers, shown again where nothing has changed
memory      which cell stands where, over a restart
assist      completion, inspection, and whether a cell is complete
"""
