"""What files say: the port `TextReader`.

    reader   plain text at once; for each other file a child process, with limits
    child    what runs in there
    kinds    media types -> text

Files come from anywhere, and those who read PDF and Parquet are large: whatever a file does to
them, it is done in a process that has no keys, a gigabyte of memory and a minute.
"""

from bestchat_server_ext.adapters.file_texts.reader import ChildTextReader

__all__ = ["ChildTextReader"]
