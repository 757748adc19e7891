"""Read a file of rows: headings first, then row by row, each with its place; what cannot be read says where."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from platform_core.exchange.errors import CellRefused, Unreadable
from platform_core.exchange.writing import BYTE_ORDER_MARK, DELIMITERS
from platform_core.exchange.xlsx_inspecting import Limits
from platform_core.exchange.xlsx_reading import read_sheet

MOST_COLUMNS = 1_000
PROBLEM_COLUMN = "_problem"
"""The column that says what was wrong in a file of failed rows; it is passed over when the file comes back."""

_GUESSED_FROM = 65_536
_MOST_HEADING = 1_000
_MOST_NESTED = 100
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


@dataclass(slots=True)
class SourceRow:
    """One row: its number below the heading, the line where it begins, and its cells as they were read."""

    number: int
    line: int
    cells: Mapping[str, Any] = field(default_factory=dict)
    refusal: CellRefused | None = None
    """Why no cell of it can be trusted, if so."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was opened: its headings (none in JSON Lines), and its rows, which can be taken once."""

    headings: Sequence[str]
    rows: Iterable[SourceRow]
    format: str
    delimiter: str = "comma"


def open_table(
    content: bytes, format_name: str, *, delimiter: str = "", sheet: str = "", limits: Limits
) -> Table:
    """Return the table in ``content``; ``limits`` say what a packed file may unpack to.

    Raises ``Unreadable`` and ``TooLarge``, also while rows are taken.
    """
    if not content:
        raise Unreadable(_("The file is empty."), code="empty_file")
    if format_name == "jsonl":
        return Table((), _json_rows(content), "jsonl")
    if format_name == "xlsx":
        lines: Iterator[tuple[int, Sequence[Any]]] = read_sheet(content, sheet, limits)
        return _table(lines, "xlsx", "comma")
    text = _decoded(content)
    guessed = delimiter or _delimiter_of(text)
    return _table(_csv_lines(text, DELIMITERS[guessed]), "csv", guessed)


def _table(lines: Iterator[tuple[int, Sequence[Any]]], name: str, delimiter: str) -> Table:
    first = next((cells for _line, cells in lines if not _is_blank(cells)), None)
    if first is None:
        raise Unreadable(_("The file has no rows."), code="empty_file")
    headings = [str(cell or "").strip() for cell in first]
    while headings and not headings[-1]:
        headings.pop()
    if len(headings) > MOST_COLUMNS:
        raise Unreadable(_("The file has too many columns."), code="too_many_columns")
    if any(len(heading) > _MOST_HEADING for heading in headings):
        raise Unreadable(_("The file has a heading that is too long."), code="long_heading")
    nameless = [str(place) for place, heading in enumerate(headings, 1) if not heading]
    if nameless:
        message = _("These columns have no heading: {columns}.")
        raise Unreadable(format_lazy(message, columns=", ".join(nameless)), code="no_heading")
    repeated = sorted({one for one in headings if headings.count(one) > 1})
    if repeated:
        message = _("These headings occur more than once: {columns}.")
        raise Unreadable(format_lazy(message, columns=", ".join(repeated)), code="repeated_column")
    return Table(headings, _rows(lines, headings, is_padded=name == "xlsx"), name, delimiter)


def _rows(
    lines: Iterator[tuple[int, Sequence[Any]]], headings: Sequence[str], *, is_padded: bool
) -> Iterator[SourceRow]:
    number = 0
    for line, cells in lines:
        if _is_blank(cells):
            continue
        number += 1
        row = SourceRow(number, line, dict(zip(headings, cells, strict=False)))
        excess = [cell for cell in cells[len(headings) :] if cell not in (None, "")]
        if excess or (len(cells) < len(headings) and not is_padded):
            message = _("The row has {found} cells, the heading has {wanted}.")
            told = format_lazy(message, found=len(cells), wanted=len(headings))
            row.refusal = CellRefused(told, "ragged_row")
        yield row


def _is_blank(cells: Sequence[Any]) -> bool:
    return all(cell is None or cell == "" for cell in cells)


def _decoded(content: bytes) -> str:
    if content.startswith(_UTF_16):
        raise Unreadable(
            _("The file is in UTF-16. Save it as CSV in UTF-8."), code="wrong_encoding"
        )
    try:
        return content.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = _("Line {line} is not in UTF-8. Save the file as CSV in UTF-8.")
        raise Unreadable(format_lazy(message, line=line), code="wrong_encoding") from error


def _delimiter_of(text: str) -> str:
    """Return the name of the delimiter that parts the heading; quoted text does not count."""
    told = _SEPARATOR_LINE.match(text)
    for name, sign in DELIMITERS.items():
        if told and told[1] == sign:
            return name
    heading = next((line for line in text[:_GUESSED_FROM].splitlines() if line.strip()), "")
    outside = "".join(heading.split('"')[::2])
    return max(DELIMITERS, key=lambda name: outside.count(DELIMITERS[name]))


def _csv_lines(text: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    told = _SEPARATOR_LINE.match(text)
    skipped = 1 if told else 0
    csv.field_size_limit(max(len(text), 131_072))
    source = io.StringIO(text[told.end() :] if told else text, newline="")
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = _("Line {line} is not valid CSV: {reason}.")
            told_line = reader.line_num + skipped
            raise Unreadable(
                format_lazy(message, line=told_line, reason=str(error)), code="malformed_csv"
            ) from error
        yield line + skipped, cells
        line = reader.line_num + 1


def _json_rows(content: bytes) -> Iterator[SourceRow]:
    number = 0
    _decoded(content)
    for line, part in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not part.strip():
            continue
        number += 1
        try:
            found = orjson.loads(part)
        except orjson.JSONDecodeError:
            found = None
        refusal = None
        if not isinstance(found, dict):
            refusal = CellRefused(_("The line is not a JSON object."), "malformed_json")
        elif part.count(b"[") + part.count(b"{") > _MOST_NESTED and not _can_be_written(found):
            refusal = CellRefused(_("The line is nested too deeply."), "too_deep")
        told = {PROBLEM_COLUMN: "", "line": part.decode().strip()} if refusal else found
        yield SourceRow(number, line, told or {}, refusal)
    if not number:
        raise Unreadable(_("The file has no rows."), code="empty_file")


def _can_be_written(found: Any) -> bool:
    """Tell whether what was read can be written again: the library reads deeper than it writes."""
    try:
        orjson.dumps(found)
    except orjson.JSONEncodeError:
        return False
    return True
