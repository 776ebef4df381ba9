"""What files say, read by real processes: sound files, odd ones, damaged ones and hostile ones."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

from bestchat_server_ext.adapters.file_texts import ChildTextReader, kinds
from bestchat_server_ext.core import file_types
from bestchat_server_ext.core.errors import Unavailable
from bestchat_server_ext.core.files import FileText

LIMIT = 10_000


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 100_000):
        yield data[start : start + 100_000]


async def said(kind: str, data: bytes, limit: int = LIMIT) -> FileText:
    return await ChildTextReader().read(kind, pieces(data), limit)


def pdf(*pages: str) -> bytes:
    """A PDF, as small as one can be."""
    numbers = range(4, 4 + 2 * len(pages), 2)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    }
    for number, text in zip(numbers, pages, strict=True):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        objects[number] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (number + 1)
        )
        objects[number + 1] = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawn), drawn)
    out, places = io.BytesIO(b""), []
    out.write(b"%PDF-1.4\n")
    for number, content in sorted(objects.items()):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    out.write(b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


async def test_a_table_gives_its_shape_and_its_first_rows() -> None:
    rows = "month;sales\n" + "".join(f"2026-{number};{number * 7}\n" for number in range(5000))
    found = await said(file_types.CSV, rows.encode())
    assert found.note == (
        "a table of 5,000 rows below its header and 2 columns; the first 200 rows are shown"
    )
    assert found.text.startswith("month,sales\n2026-0,0\n2026-1,7\n")
    assert found.text.endswith("2026-199,1393\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_old_tables_are_read_too(encoding: str) -> None:
    found = await said(file_types.CSV, "Größe,Preis\nklein,5 €\n".encode(encoding))
    assert found.text == "Größe,Preis\nklein,5 €\n"


@pytest.mark.parametrize("unit", [b',"', b'\n,"', b'","'])
def test_no_table_takes_its_time(unit: bytes) -> None:
    """Whoever finds out what stands between columns looks at its beginning only."""
    begun = time.process_time()
    kinds.read(file_types.CSV, io.BytesIO(unit * (32_768 // len(unit))), LIMIT)
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_the_delimiter_of_a_wide_table_is_found(delimiter: str) -> None:
    header = [f"column {number}" for number in range(1_000)]
    row = ["a, b; c"] * 1_000
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows([header, row])
    found = await said(file_types.CSV, written.getvalue().encode())
    assert found.note == "a table of 1 rows below its header and 1,000 columns"


async def test_text_is_cut_at_the_limit() -> None:
    assert await said(file_types.PLAIN, b"short") == FileText("short")
    found = await said(file_types.PLAIN, "Ö".encode() * 50_000)
    assert found == FileText("Ö" * LIMIT, "its first 10,000 characters")


async def test_a_notebook_gives_cells_and_outputs_and_no_pictures() -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Sales\n", "of autumn"]},
            {
                "cell_type": "code",
                "source": "1 / 0",
                "outputs": [
                    {"output_type": "stream", "text": ["going on\n"]},
                    {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 9}},
                    {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "by zero"},
                ],
            },
        ]
    }
    found = await said(file_types.NOTEBOOK, json.dumps(notebook).encode())
    assert found.note == "a notebook of 2 cells"
    assert "# cell 1 (markdown)\n# Sales\nof autumn" in found.text
    assert "# output of cell 2\ngoing on" in found.text
    assert "ZeroDivisionError: by zero" in found.text
    assert "iVBOR" not in found.text


async def test_a_pdf_gives_its_pages() -> None:
    found = await said(file_types.PDF, pdf("Sales grew", "by twelve percent"))
    assert found.note == "a PDF of 2 pages"
    assert found.text == "[page 1]\nSales grew\n\n[page 2]\nby twelve percent"


async def test_a_scanned_pdf_says_that_there_is_no_text() -> None:
    found = await said(file_types.PDF, pdf("", ""))
    assert found == FileText(note="a PDF of 2 pages without text: it may be scanned")


async def test_parquet_gives_types_and_rows(tmp_path: Path) -> None:
    table = pa.table({"month": ["a", "b"] * 500, "sales": range(1000)})
    parquet.write_table(table, tmp_path / "x.parquet")
    found = await said(file_types.PARQUET, (tmp_path / "x.parquet").read_bytes())
    assert found.text.startswith("# month: string\n# sales: int64\nmonth,sales\na,0\nb,1\n")
    assert found.note.startswith("a table of 1,000 rows below its header and 2 columns; the first")


@pytest.mark.parametrize(
    ("length", "rows"), [(270_000_000, 1), (5_000_000, 200)], ids=["one long value", "many times"]
)
async def test_a_parquet_file_that_swells_gives_its_types(
    tmp_path: Path, length: int, rows: int
) -> None:
    notes = pa.DictionaryArray.from_arrays([0] * rows, ["x" * length])
    parquet.write_table(
        pa.table({"note": notes}), tmp_path / "x.parquet", compression="zstd", store_schema=False
    )
    data = (tmp_path / "x.parquet").read_bytes()
    assert len(data) < 100_000
    peak = [0]

    async def watched() -> AsyncIterator[bytes]:
        yield data

    reading = asyncio.create_task(ChildTextReader().read(file_types.PARQUET, watched(), LIMIT))
    while not reading.done():
        for pid in children():
            with suppress(psutil.NoSuchProcess):
                peak.append(psutil.Process(pid).memory_info().rss)
        await asyncio.wait([reading], timeout=0.02)
    found = await reading
    assert found.text == "# note: string\nnote\n"
    assert found.note.endswith("; they take too much memory to be shown")
    assert max(peak) < 700 * 10**6


async def test_plain_text_waits_for_no_other_file() -> None:
    reader, begun = ChildTextReader(), asyncio.Event()

    async def never() -> AsyncIterator[bytes]:
        begun.set()
        yield b"a"
        await asyncio.Event().wait()

    hanging = [asyncio.create_task(reader.read(file_types.CSV, never(), LIMIT)) for _ in range(4)]
    await begun.wait()
    async with asyncio.timeout(10):
        assert await reader.read(file_types.PLAIN, pieces(b"short"), LIMIT) == FileText("short")
        assert (await reader.read(file_types.JSON, pieces(b"{}"), LIMIT)).text == "{}"
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_no_more_of_a_text_is_taken_than_is_shown() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1000
            yield b"x" * 1000

    found = await ChildTextReader().read(file_types.PLAIN, endless(), LIMIT)
    assert found == FileText("x" * LIMIT, "its first 10,000 characters")
    assert taken < 5 * LIMIT


@pytest.mark.parametrize("kind", sorted(file_types.READABLE))
@pytest.mark.parametrize("data", [b"", b"\0" * 1000, b"%PDF-1.4\nnothing", b"PAR1....PAR1", b"{}"])
async def test_what_is_damaged_gives_a_note_and_no_text(kind: str, data: bytes) -> None:
    found = await said(kind, data)
    assert found.note or found.text.strip()
    assert len(found.text) <= LIMIT


async def test_a_file_that_swells_ends_in_a_note() -> None:
    """A page whose content is a gigabyte, packed into one megabyte."""
    packed = zlib.compress(b"0" * 400_000_000, 9)
    bomb = pdf("x").replace(b"<< /Length ", b"<< /Filter /FlateDecode /Length ", 1)
    head, _, rest = bomb.partition(b"stream\n")
    bomb = head + b"stream\n" + packed + rest[rest.index(b"\nendstream") :]
    found = await said(file_types.PDF, bomb)
    assert found.text == ""
    assert found.note


@pytest.mark.parametrize("kind", [file_types.PLAIN, file_types.CSV])
async def test_reading_that_takes_too_long_is_ended(kind: str) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    found = await ChildTextReader(seconds=0.5).read(kind, never(), LIMIT)
    assert found == FileText(note="reading it took too long")
    assert children() == []


async def test_a_file_that_breaks_off_is_an_error_and_leaves_no_process() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise Unavailable("The disk is gone.")

    with pytest.raises(Unavailable):
        await ChildTextReader().read(file_types.CSV, broken(), LIMIT)
    assert children() == []


async def test_whoever_stops_waiting_leaves_no_process() -> None:
    begun = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        begun.set()
        yield b"a"
        await asyncio.Event().wait()

    task = asyncio.create_task(ChildTextReader().read(file_types.CSV, slow(), LIMIT))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []


async def test_a_child_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        begun.set()
        await go_on.wait()
        yield b"a"

    task = asyncio.create_task(ChildTextReader().read(file_types.CSV, slow(), LIMIT))
    await begun.wait()
    (child,) = children()
    environ = psutil.Process(child).environ()
    go_on.set()
    await task
    assert "PATH" in environ
    assert "canary" not in str(environ)


def children() -> list[int]:
    """Processes that read files; other tests leave processes of other kinds."""
    found = psutil.Process(os.getpid()).children(recursive=True)
    return [it.pid for it in found if any("file_texts" in word for word in _command(it))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
