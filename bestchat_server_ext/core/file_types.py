"""What a file is, by its first bytes: neither its name nor whoever sent it is believed.

The types are few on purpose. A browser that is given one of them runs nothing: markup is
`text/plain` here, and so is a script.
"""

from __future__ import annotations

from pathlib import PurePosixPath

HEAD = 65_536
"""Bytes that are enough to tell."""

CSV = "text/csv"
NOTEBOOK = "application/x-ipynb+json"
PDF = "application/pdf"
PARQUET = "application/vnd.apache.parquet"
PLAIN = "text/plain"
JSON = "application/json"
HTML = "text/html"
"""Only of pages that were fetched: an attached file with markup is `PLAIN`."""
UNKNOWN = "application/octet-stream"

READABLE = frozenset({CSV, NOTEBOOK, PDF, PARQUET, PLAIN, JSON})
"""Those that text can be read of."""
AS_THEY_ARE = frozenset({PLAIN, JSON})
"""Those of which nothing is taken apart: reading one is quick, and waits for nobody's files."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
    (b"PAR1", PARQUET),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TABLES = frozenset({".csv", ".tsv"})
_LONGEST_CHARACTER = 4
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


def media_type(head: bytes, name: str) -> str:
    """What a file is.

    Args:
        head: its first bytes, up to `HEAD` of them.
        name: what it is called: tells kinds of text apart, and nothing else.
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if not _is_text(head):
        return UNKNOWN
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in _TABLES:
        return CSV
    if head.lstrip()[:1] in {b"{", b"["}:
        if suffix == ".ipynb" and b'"cells"' in head:
            return NOTEBOOK
        if suffix in {".json", ".ipynb"}:
            return JSON
    return PLAIN


def _is_text(head: bytes) -> bool:
    """Whether it can be read as text: UTF-8 or UTF-16, or at least nothing that no text has."""
    if head.startswith(_BYTE_ORDER_MARKS):
        return True
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut in half; and old tables are in other encodings.
        cut = error.end == len(head) and error.start > len(head) - _LONGEST_CHARACTER
        if not cut and b"\0" in head:
            return False
    return not _CONTROLS.intersection(head)
