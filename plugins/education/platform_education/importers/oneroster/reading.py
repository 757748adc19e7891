"""Reading of one CSV file into typed rows, noting everything that is wrong with it."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Generic, TypeVar

from django.utils.translation import gettext as _

from platform_education.importers.oneroster.cells import CellError, Column
from platform_education.importers.oneroster.problems import Problems
from platform_education.importers.oneroster.tables import Row

MAX_LINE_BYTES = 1024**2
MAX_ROWS = 5_000_000
PROGRESS_ROWS = 5_000

AnyRow = TypeVar("AnyRow", bound=Row)
Tick = Callable[[int], None]


@dataclasses.dataclass(slots=True)
class Readout(Generic[AnyRow]):
    """The good rows of a file, and whether others were left out: then a missing reference proves nothing."""

    rows: list[AnyRow]
    is_complete: bool = True


def read_rows(
    row_class: type[AnyRow], stream: IO[bytes], problems: Problems, tick: Tick
) -> Readout[AnyRow]:
    """Return the rows of ``stream`` that are right in themselves; the others are noted in ``problems``.

    ``tick`` is called now and then with the number of rows read.
    """
    file = row_class.FILE
    before = problems.count
    table = Table(file, stream, problems)
    plan = _columns_read(row_class, table, problems)
    rows: list[AnyRow] = []
    if plan is None:
        return Readout(rows, is_complete=False)
    first: dict[str, int] = {}
    for number, cells in table:
        if number % PROGRESS_ROWS == 0:
            tick(number)
        row = _row(row_class, number, cells, plan, problems)
        if row is None:
            continue
        if first.setdefault(row.sourced_id, number) != number:
            message = _("“%(id)s” is the sourcedId of row %(row)d too.")
            problems.add(
                file,
                number,
                "sourcedId",
                message % {"id": row.sourced_id, "row": first[row.sourced_id]},
            )
            continue
        rows.append(row)
    return Readout(rows, is_complete=problems.count == before)


class Table:
    """A CSV file as rows of cells; encoding and shape are checked on the way."""

    def __init__(self, file: str, stream: IO[bytes], problems: Problems) -> None:
        self._file = file
        self._stream = stream
        self._problems = problems
        self._number = 0
        self._undecodable = False
        self._reader = csv.reader(self._lines(), strict=True)
        self.header: list[str] = []
        found = self._next()
        if found is not None:
            self.header = [name.strip() for name in found]

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Yield number and cells of each row that has the header's width; blank lines only count."""
        width = len(self.header)
        while True:
            self._number += 1
            cells = self._next()
            if cells is None:
                return
            if self._number > MAX_ROWS:
                self._note(_("There are too many rows; split the set."))
                return
            if not cells or self._was_undecodable():
                continue
            if len(cells) < width or any(cells[width:]):
                message = _("There are %(found)d cells where the header has %(width)d.")
                self._note(message % {"found": len(cells), "width": width})
                continue
            yield self._number, cells

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as error:
            self._note(
                _("This is no valid CSV from here on (%(reason)s).") % {"reason": str(error)}
            )
            return None

    def _lines(self) -> Iterator[str]:
        encoding = "utf-8-sig"
        while line := self._stream.readline(MAX_LINE_BYTES):
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                self._note(_("The line is longer than a row can be; the rest was not read."))
                return
            try:
                yield line.decode(encoding)
            except UnicodeDecodeError as error:
                self._undecodable = True
                message = _("Byte %(byte)d of the line is not UTF-8; save the file as UTF-8.")
                self._note(message % {"byte": error.start + 1})
                yield line.decode(encoding, errors="replace")
            encoding = "utf-8"

    def _was_undecodable(self) -> bool:
        before, self._undecodable = self._undecodable, False
        return before

    def _note(self, message: str) -> None:
        self._problems.add(self._file, self._number, "", message)


Plan = Sequence[tuple[str, int | None, Column]]


def _columns_read(row_class: type[Row], table: Table, problems: Problems) -> Plan | None:
    """Return which cell goes into which attribute, or ``None`` when the header is not one of the file."""
    file, header = row_class.FILE, table.header
    if not header:
        problems.add(file, 0, "", _("There is no header; the file needs at least that."))
        return None
    columns = {
        field.name: field.metadata["column"]
        for field in dataclasses.fields(row_class)
        if "column" in field.metadata
    }
    known = {column.header for column in columns.values()} | row_class.IGNORED
    sound = True
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            problems.add(file, 0, name, _("The column is there twice."))
            sound = False
        elif name not in known and not name.startswith("metadata."):
            problems.add(file, 0, name, _("There is no such column in this file of OneRoster 1.1."))
            sound = False
    for column in columns.values():
        if column.in_header and column.header not in header:
            problems.add(file, 0, column.header, _("The column is missing."))
            sound = False
    if not sound:
        return None
    places = {name: index for index, name in enumerate(header)}
    return [(name, places.get(column.header), column) for name, column in columns.items()]


def _row(
    row_class: type[AnyRow], number: int, cells: list[str], plan: Plan, problems: Problems
) -> AnyRow | None:
    values: dict[str, Any] = {"number": number}
    sound = True
    for attribute, place, column in plan:
        value = cells[place].strip() if place is not None else ""
        try:
            if not value:
                if column.required:
                    raise CellError(_("It is empty and has to be given."))
                values[attribute] = column.empty
            elif "\x00" in value:
                raise CellError(_("It holds a NUL character."))
            else:
                values[attribute] = column.parse(value)
        except CellError as error:
            problems.add(row_class.FILE, number, column.header, str(error))
            sound = False
    return row_class(**values) if sound else None
