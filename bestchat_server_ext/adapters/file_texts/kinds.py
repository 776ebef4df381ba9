"""Media types -> text: each kind of file by whoever knows it.

Tables give their shape and their first rows, never all of them: a model learns more from a few
rows than from a budget full of numbers.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, TextIO

from bestchat_server_ext.core import file_types
from bestchat_server_ext.core.files import FileText

MOST_ROWS = 200
"""Rows of a table that are shown."""
LARGEST_GROUP = 256 * 1024**2
"""Bytes of a Parquet file's group of rows, unpacked: of a larger one, no row is shown."""
_SAMPLE = 16_384
_LONGEST_CLUE = 2_000
"""Characters by which a table's delimiter is found: some texts take time by their square."""
_LONGEST_OUTPUT = 2_000
"""Characters of one output of a notebook."""


def read(media_type: str, file: BinaryIO, limit: int) -> FileText:
    """What a file says, up to `limit` characters."""
    kinds: dict[str, Callable[[BinaryIO, int], FileText]] = {
        file_types.PLAIN: _plain,
        file_types.JSON: _plain,
        file_types.CSV: _table,
        file_types.HTML: _markup,
        file_types.NOTEBOOK: _notebook,
        file_types.PDF: _pdf,
        file_types.PARQUET: _parquet,
    }
    reader = kinds.get(media_type)
    return FileText(note="there is no text in it") if reader is None else reader(file, limit)


def _text(file: BinaryIO) -> TextIO:
    """The file as text: UTF-8, UTF-16 if it says so, else what old tables are written in."""
    head = file.read(_SAMPLE)
    file.seek(0)
    encoding = "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        try:
            codecs.getincrementaldecoder("utf-8")().decode(head)
        except UnicodeDecodeError:
            encoding = "cp1252"
    return io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")


_NOT_SAID = (
    "title",
    "script",
    "style",
    "noscript",
    "template",
    "svg",
    "iframe",
    "img",
    "nav",
    "form",
)
"""Elements that hold nothing of what a page says."""


def _markup(file: BinaryIO, limit: int) -> FileText:
    """A page as Markdown: what it says, without what steers it."""
    try:
        from bs4 import BeautifulSoup
        from markdownify import MarkdownConverter
    except ModuleNotFoundError:
        return FileText(
            note="reading pages needs markdownify on the server: pip install markdownify"
        )
    data = file.read()
    soup = BeautifulSoup(_decoded(data), "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    body = soup.find("main") or soup.body or soup
    for element in body(_NOT_SAID):
        element.decompose()
    try:
        text = MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(body)
    except RecursionError:  # elements within elements, by the thousand
        text = body.get_text("\n", strip=True)
    text = re.sub(r"\n\s*\n", "\n\n", text).strip()
    if title and not text.startswith(f"# {title}"):
        text = f"# {title}\n\n{text}"
    if len(text) > limit:
        return FileText(text[:limit], f"its first {limit:,} characters of {len(text):,}")
    return FileText(text)


def _decoded(data: bytes) -> str | bytes:
    """Markup as text, if it is UTF-8; else whoever parses it finds out what it is."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data


def _plain(file: BinaryIO, limit: int) -> FileText:
    text = _text(file).read(limit + 1)
    if len(text) > limit:
        return FileText(text[:limit], f"its first {limit:,} characters")
    return FileText(text, "" if text else "it is empty")


def _table(file: BinaryIO, limit: int) -> FileText:
    text = _text(file)
    sample = text.read(_LONGEST_CLUE)
    text.seek(0)
    dialect = _dialect(sample)
    rows = csv.reader(text, dialect)
    shown: list[list[str]] = []
    count = columns = 0
    for row in rows:
        count += 1
        columns = max(columns, len(row))
        if len(shown) <= MOST_ROWS:
            shown.append(row)
    if not count:
        return FileText(note="it is empty")
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(shown)
    return _shaped(count - 1, columns, len(shown) - 1, written.getvalue(), limit)


def _dialect(sample: str) -> type[csv.Dialect]:
    try:
        return csv.Sniffer().sniff(sample, delimiters=",;\t|")
    except csv.Error:
        return csv.excel


def _shaped(rows: int, columns: int, shown: int, text: str, limit: int) -> FileText:
    note = f"a table of {rows:,} rows below its header and {columns:,} columns"
    if rows and not shown:
        note += "; they take too much memory to be shown"
    elif shown < rows:
        note += f"; the first {shown:,} rows are shown"
    return FileText(text[:limit], note)


def _notebook(file: BinaryIO, limit: int) -> FileText:
    notebook = json.load(file)
    text = "\n\n".join(_cells(notebook["cells"]))
    note = f"a notebook of {len(notebook['cells']):,} cells"
    return FileText(text[:limit], note if len(text) <= limit else f"{note}, cut")


def _cells(cells: Iterable[dict[str, Any]]) -> Iterator[str]:
    for number, cell in enumerate(cells, 1):
        yield f"# cell {number} ({cell.get('cell_type', 'raw')})\n{_joined(cell.get('source', ''))}"
        for output in cell.get("outputs", ()):
            if said := _output(output).strip():
                yield f"# output of cell {number}\n{said[:_LONGEST_OUTPUT]}"


def _output(output: dict[str, Any]) -> str:
    """What an output says as text; pictures say nothing."""
    match output.get("output_type"):
        case "stream":
            return _joined(output.get("text", ""))
        case "error":
            return f"{output.get('ename', '')}: {output.get('evalue', '')}"
        case _:
            return _joined(output.get("data", {}).get("text/plain", ""))


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _pdf(file: BinaryIO, limit: int) -> FileText:
    try:
        from pypdf import PdfReader
    except ModuleNotFoundError:
        return FileText(note="reading PDF needs pypdf on the server: pip install pypdf")
    reader = PdfReader(file)
    if reader.is_encrypted and not reader.decrypt(""):
        return FileText(note="it is a PDF with a password")
    pages, size, number = [], 0, 0
    for number, page in enumerate(reader.pages, 1):
        pages.append(f"[page {number}]\n{page.extract_text().strip()}")
        size += len(pages[-1])
        if size > limit:
            break
    total = len(reader.pages)
    if all("\n" not in page.rstrip() for page in pages):
        return FileText(note=f"a PDF of {total:,} pages without text: it may be scanned")
    note = f"a PDF of {total:,} pages"
    if number < total or size > limit:
        note += f"; the first {number:,} are shown"
    return FileText("\n\n".join(pages)[:limit], note)


def _first_rows(table: Any) -> list[dict[str, Any]]:  # noqa: ANN401  pyarrow has no types
    """The first rows of a Parquet file, if unpacking them takes no more memory than there is."""
    groups = table.metadata.num_row_groups
    if not groups or table.metadata.row_group(0).total_byte_size > LARGEST_GROUP:
        return []
    try:
        batch = next(table.iter_batches(batch_size=MOST_ROWS, use_threads=False), None)
        return [] if batch is None else batch.to_pylist()
    except MemoryError:  # a value that is written once may stand in every row
        return []


def _parquet(file: BinaryIO, limit: int) -> FileText:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        return FileText(note="reading Parquet needs pyarrow on the server: pip install pyarrow")
    table: Any = parquet.ParquetFile(file)  # type: ignore[no-untyped-call]  # it has no types
    schema = table.schema_arrow
    fields = [f"# {field.name}: {field.type}" for field in schema]
    rows = _first_rows(table)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(schema.names)
    writer.writerows([[row[name] for name in schema.names] for row in rows])
    text = "\n".join(fields) + "\n" + written.getvalue()
    return _shaped(table.metadata.num_rows, len(schema), len(rows), text, limit)
