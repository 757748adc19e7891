"""Write a workbook (ECMA-376) as it is made: no library sends a row before it has them all.

Openpyxl and XlsxWriter keep the sheet in a file until the last row is known. One sheet of inline strings needs little of
the standard, and the standard library's ZIP writer takes an output that cannot seek.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from typing import IO, Any, Final, cast

import orjson

from platform_core.exchange.cells import Cell
from platform_core.exchange.errors import CellTooLong

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_CHARACTERS: Final = 32_767
"""What a cell holds, in UTF-16 code units."""

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONSHIPS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_DOCUMENT: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_CONTENT: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS: Final = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_CONTENT}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_RELATIONSHIPS}"><Relationship Id="rId1" '
        f'Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_RELATIONSHIPS}"><Relationship Id="rId1" '
        f'Type="{_DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
_SHEET_BEGINS: Final = f'<worksheet xmlns="{_MAIN}"><sheetData>'
_SHEET_ENDS: Final = b"</sheetData></worksheet>"
_FAST: Final = 1
"""The level of compression; higher ones cost several times as much and save little."""
_EXACT: Final = 10**15
"""From here on a spreadsheet shows other digits of a whole number."""

_ESCAPED = re.compile(r"[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_CODE = re.compile(r"_x([0-9A-Fa-f]{4})_")


class _Sink:
    """Takes what the ZIP writer makes until somebody fetches it; it cannot seek, as a socket cannot."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass


class Workbook:
    """A workbook of one sheet that grows row by row."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(
            cast("IO[bytes]", self._sink), "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST
        )
        for name, text in _PARTS.items():
            self._zip.writestr(name, _HEAD + text)
        self._sheet: Any = self._zip.open("xl/worksheets/sheet1.xml", "w")
        self._sheet.write((_HEAD + _SHEET_BEGINS).encode())

    def row(self, cells: Iterable[Cell]) -> None:
        """Add a row; raises ``CellTooLong``."""
        self._sheet.write(f"<row>{''.join(map(_cell, cells))}</row>".encode())

    def close(self) -> None:
        """End the sheet and the file."""
        self._sheet.write(_SHEET_ENDS)
        self.abandon()

    def abandon(self) -> None:
        """Close the file where it is; without its end nobody can open it."""
        self._sheet.close()
        self._zip.close()

    def taken(self) -> bytes:
        """Return what is ready to be sent, once."""
        ready = b"".join(self._sink.parts)
        self._sink.parts.clear()
        return ready


def _cell(cell: Cell) -> str:
    if cell is None or cell == "":
        return "<c/>"
    if isinstance(cell, bool):
        return f'<c t="b"><v>{cell:d}</v></c>'
    if isinstance(cell, int) and abs(cell) < _EXACT:
        return f"<c><v>{cell}</v></c>"
    if isinstance(cell, float):
        return f"<c><v>{orjson.dumps(cell).decode()}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{_text(str(cell))}</t></is></c>'


def fits(text: str) -> bool:
    """Tell whether a cell holds ``text``."""
    if len(text) <= MOST_CHARACTERS // 2:
        return True
    return len(text.encode("utf-16-le")) <= 2 * MOST_CHARACTERS


def _text(text: str) -> str:
    if not fits(text):
        raise CellTooLong
    return _ESCAPED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    """Write a character that XML has no room for as the standard does (ST_Xstring), and what looks like one, too."""
    character = found[0]
    return _ENTITIES.get(character) or f"_x{ord(character):04X}_"


def unescape(text: str) -> str:
    """Return the text that a cell stands for; halves of a character stay as they are."""
    if "_x" not in text:
        return text
    return _CODE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code <= 0xDFFF else chr(code)
