"""What files say: the port `TextReader`.

    reader   a child process for each file, with limits
    child    what runs in there
    kinds    media types -> text

Files come from anywhere, and those who read PDF and Parquet are large: whatever a file does to
them, it is done in a process that has no keys, little memory and a minute.
"""

from bestchat_server_ext.adapters.file_texts.reader import ChildTextReader

__all__ = ["ChildTextReader"]
