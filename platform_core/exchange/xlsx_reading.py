"""Read a sheet of a workbook row by row, after a look at what it unpacks to: a workbook is a ZIP that others have made."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

import openpyxl
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from platform_core.errors import DomainError
from platform_core.exchange.cells import Untaken
from platform_core.exchange.errors import CellRefused, Unreadable
from platform_core.exchange.xlsx_inspecting import Limits, inspect
from platform_core.exchange.xlsx_writing import unescape

_MOST_BLANK_LINES: Final = 10_000
_MOST_CELLS: Final = 2_000
"""In one line: a cell in the last column of a sheet would make every line as long."""


def read_sheet(content: bytes, sheet: str, limits: Limits) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield the number of each line and its cells, of the sheet called ``sheet`` or the only one.

    Raises ``Unreadable`` and ``TooLarge``.
    """
    inspect(content, limits)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        found = _sheet_of(book, sheet)
        found.reset_dimensions()
        yield from _lines(found)
    except DomainError:
        raise
    except (
        Exception
    ) as error:  # the library lets through whatever a broken file makes it stumble over
        raise Unreadable(
            _("The file is not a readable XLSX workbook."), code="malformed_xlsx"
        ) from error


def _sheet_of(book: Any, name: str) -> Any:
    titles = [one.title for one in book.worksheets]
    if name in titles:
        return book[name]
    if name or len(titles) != 1:
        message = _("Say by sheet which one is meant: {titles}.")
        raise Unreadable(format_lazy(message, titles=", ".join(titles)), code="which_sheet")
    return book.worksheets[0]


def _lines(sheet: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    blank = 0
    for line, row in enumerate(sheet.iter_rows(), 1):
        cells = [_value(cell) for cell in row]
        while cells and cells[-1] in (None, ""):
            cells.pop()
        blank = 0 if cells else blank + 1
        if len(cells) > _MOST_CELLS or blank > _MOST_BLANK_LINES:
            raise Unreadable(_("The sheet has cells far outside its table."), code="stray_cells")
        yield line, cells


def _value(cell: Any) -> Any:
    value, kind = cell.value, cell.data_type
    if kind == "f":
        told = CellRefused(_("The cell has a formula; put its value there."), "formula")
        return Untaken(str(getattr(value, "text", value)), told)
    if kind == "e":
        return Untaken(str(value), CellRefused(_("The cell shows an error."), "cell_error"))
    return unescape(value) if isinstance(value, str) else value
