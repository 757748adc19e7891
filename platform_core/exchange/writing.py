"""Writers of the three formats: each takes rows a batch at a time and returns the bytes that are ready."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson

from platform_core.exchange.cells import Column, as_text, encode
from platform_core.exchange.errors import CellTooLong
from platform_core.exchange.xlsx_writing import MEDIA_TYPE as XLSX_MEDIA_TYPE
from platform_core.exchange.xlsx_writing import Workbook

FormatName = Literal["csv", "xlsx", "jsonl"]
Row = Mapping[str, Any]

DELIMITERS: Mapping[str, str] = {"comma": ",", "semicolon": ";", "tab": "\t"}
BYTE_ORDER_MARK = "\ufeff"


class Writer(Protocol):
    """Makes a file of rows."""

    def begin(self) -> bytes:
        """Return what comes before all rows."""

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return what ``rows`` are; may keep some of it for later."""

    def end(self) -> bytes:
        """Return what comes after all rows."""

    def abandon(self) -> None:
        """Let go of what is open; a file that has not ended never will."""


class CsvWriter:
    """RFC 4180 in UTF-8; with semicolons it begins with a byte order mark, as the spreadsheets that want them do."""

    def __init__(self, columns: Sequence[Column], delimiter: str = "comma") -> None:
        self.columns = columns
        self.marked = delimiter == "semicolon"
        self.buffer = io.StringIO(newline="")
        self.writer = csv.writer(self.buffer, delimiter=DELIMITERS[delimiter])

    def begin(self) -> bytes:
        """Return the heading."""
        if self.marked:
            self.buffer.write(BYTE_ORDER_MARK)
        self.writer.writerow([column.name for column in self.columns])
        return self._taken()

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return a line for each of ``rows``."""
        for row in rows:
            self.writer.writerow([as_text(encode(row.get(one.name), one)) for one in self.columns])
        return self._taken()

    def end(self) -> bytes:
        """Return nothing."""
        return b""

    def abandon(self) -> None:
        """Do nothing."""

    def _taken(self) -> bytes:
        text = self.buffer.getvalue()
        self.buffer.seek(0)
        self.buffer.truncate()
        return text.encode()


class JsonlWriter:
    """One JSON object a line, as the list shows it."""

    def __init__(self, dumps: Any = orjson.dumps) -> None:
        self.dumps = dumps

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return a line for each of ``rows``."""
        return b"".join(self.dumps(row) + b"\n" for row in rows)

    def end(self) -> bytes:
        """Return nothing."""
        return b""

    def abandon(self) -> None:
        """Do nothing."""


class XlsxWriter:
    """A workbook of one sheet; its cells are texts, numbers and truths, never formulas."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.workbook = Workbook()

    def begin(self) -> bytes:
        """Return the parts of the workbook that do not depend on rows, and the heading."""
        self.workbook.row([column.name for column in self.columns])
        return self.workbook.taken()

    def write(self, rows: Sequence[Row]) -> bytes:
        """Return what is compressed so far."""
        try:
            for row in rows:
                self.workbook.row([encode(row.get(one.name), one) for one in self.columns])
        except CellTooLong:
            self.abandon()
            raise
        return self.workbook.taken()

    def end(self) -> bytes:
        """Return the rest, and the table of contents without which the file cannot be opened."""
        self.workbook.close()
        return self.workbook.taken()

    def abandon(self) -> None:
        """Close the workbook, ended or not."""
        self.workbook.abandon()


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: what it is called, and the rows that it holds at most."""

    name: FormatName
    media_type: str
    most_rows: int | None = None
    reads_as: frozenset[str] = frozenset()
    """Other media types by which clients call it."""


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("csv", "text/csv; charset=utf-8", reads_as=frozenset({"application/csv"})),
        Format("xlsx", XLSX_MEDIA_TYPE, most_rows=1_048_575),
        Format(
            "jsonl",
            "application/jsonl",
            reads_as=frozenset({"application/x-ndjson", "application/x-jsonlines"}),
        ),
    )
}


def writer_of(
    name: str, columns: Sequence[Column], *, delimiter: str = "comma", dumps: Any = orjson.dumps
) -> Writer:
    """Return a writer of the format ``name``; ``dumps`` makes the lines of JSON Lines."""
    if name == "csv":
        return CsvWriter(columns, delimiter)
    return XlsxWriter(columns) if name == "xlsx" else JsonlWriter(dumps)
