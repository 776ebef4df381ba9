"""BestChat's faces inside a kernel.

    magics      %%chat and %chat
    verbatim    IPython's own syntax kept away from prompts
    completion  of options and mentions
    cell        one run of a chat cell
    verbs       what %chat does
    failures    the last cell that failed
    inquiries   what a notebook can learn of its conversation, its models, its costs
    options     the options on a magic's line
    prompt      what is sent: mentions and {{ expressions }}
    mentions    @name, @In[3], @Out[3], @error, @file:path
    inventory   what the panel asks: which variables there are, what one is like
    attachment  what goes along with a prompt
    redaction   without secrets
    summary     a value in few words
    patience    a time box around the code of others
    files       text files that go along
    pictures    figures and images that go along
    forms       what an answer has to be: text, code, JSON that fits, a table
    namespace   what the user has: variables, cells, results, the last error
    asking      what the main thread does while an answer comes
    functions   chat(), from Python
    asker       questions that know nothing of each other
    panel       ChatPanel: a chat in the output of a cell
    transcript  what was said in its conversation
    comm_door   the API through its comm
    mapping     chat.map(): the same question about every value of a column
    process     the one session of this process
    replay      answers given again, so that a run can be reproduced
    recordings  the file that holds them
    session     what a notebook talks to: its conversation, its cells, one turn at a time
    cells       which cell stands where in the conversation
    connect     the server that started this kernel, else the services in this process
    loop        the one thread that owns client or services
    stop        the Stop button, while a cell waits
    button      a button of our own, under the answer
    listening   what widgets say while a cell runs
    display     a streaming answer
    screens     where a cell shows it
    markdown    model output made safe to show
    visible     text from outside that steers no terminal
    result      what a cell leaves behind
    failure     how a failed chat looks
    kernel      the BestChat kernel, whose cells are messages
    kernelspec  how Jupyter finds it

Importing this package, and `%load_ext bestchat_kernel`, load no network and no database library.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from bestchat_kernel.functions import chat
    from bestchat_kernel.panel import ChatPanel

__all__ = ["ChatPanel", "chat", "load_ipython_extension", "unload_ipython_extension"]

# Nothing is printed into a cell that nobody has asked for.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    """Give `chat` and `ChatPanel` to whoever asks for them, and load nothing for the others."""
    if name == "chat":
        from bestchat_kernel.functions import chat

        return chat
    if name == "ChatPanel":
        return _chat_panel()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _chat_panel() -> object:
    try:
        from bestchat_kernel.panel import ChatPanel
    except ModuleNotFoundError as error:
        if error.name not in {"anywidget", "ipywidgets"}:
            raise
        raise ImportError("ChatPanel needs widgets: pip install 'bestchat[widget]'") from None
    return ChatPanel


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext bestchat_kernel` calls."""
    from bestchat_kernel.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """What `%unload_ext bestchat_kernel` calls."""
    from bestchat_kernel.magics import unload

    unload(shell)
