"""A look at what a workbook unpacks to, before a library takes it apart: a ZIP that others have made may be anything.

A few kilobytes unpack to a hundred megabytes of empty elements. The library makes an object of each, which takes minutes
and gigabytes, so they are counted first; that costs a hundredth of what it saves.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any, Final
from xml.parsers import expat  # nosec B407  (it stops at the first declaration)

from django.utils.translation import gettext_lazy as _

from platform_core.errors import DomainError
from platform_core.exchange.errors import TooLarge, TooMuchAtOnce, Unreadable

MOST_PARTS: Final = 1_000
MOST_TOGETHER: Final = 100_000
"""Elements and attributes that the library holds at once: those of a row, of a shared text, or of all that is neither."""
_LONGEST_TAG: Final = 1 << 20
_PIECE: Final = 1 << 16
_HELD = {"worksheet": ("row", 3), "sst": ("si", 2)}
"""By the name of a document: what the library lets go of when it ends, and how deep it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a workbook may unpack to: bytes, and elements with their attributes."""

    unpacked: int
    elements: int


def inspect(content: bytes, limits: Limits) -> None:
    """Unpack everything once, a piece at a time, and count; what a ZIP says of itself is not believed.

    Raises ``Unreadable``, ``TooLarge``, and ``TooMuchAtOnce`` for more elements than ``limits`` allows.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS:
                raise TooLarge(_("The workbook has too many parts."))
            left = _Left(limits.unpacked, limits.elements)
            for part in parts:
                with archive.open(part) as opened:
                    _inspect_part(opened, left)
    except DomainError:
        raise
    except Exception as error:  # ZIP files break in many ways
        raise Unreadable(_("The file is not an XLSX workbook."), code="malformed_xlsx") from error


@dataclass(slots=True)
class _Left:
    """What the parts that are still to come may have."""

    unpacked: int
    elements: int


def _inspect_part(opened: Any, left: _Left) -> None:
    """Count one part, whatever it is called: any may be the sheet. What is no XML ends where the library would, too."""
    document: _Document | None = _Document(left)
    while piece := opened.read(_PIECE):
        left.unpacked -= len(piece)
        if left.unpacked < 0:
            raise TooLarge(_("The workbook unpacks to more than is read."))
        if document is not None and not document.goes_on(piece):
            document = None


class _Document:
    """An XML document as it is read, of which nothing is kept but numbers."""

    def __init__(self, left: _Left) -> None:
        self._left = left
        self._together = self._depth = self._fed = 0
        self._item: tuple[str, int] | None = None
        self._parser = expat.ParserCreate()
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._begins
        self._parser.EndElementHandler = self._ends
        self._parser.StartDoctypeDeclHandler = self._declares

    def goes_on(self, piece: bytes) -> bool:
        """Take the next piece; False when this is no XML, or none any more."""
        try:
            self._parser.Parse(piece, False)
        except expat.ExpatError:
            return False
        self._fed += len(piece)
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_TAG:
            raise TooLarge(_("The workbook unpacks to more than is read."))
        return True

    def _begins(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        local = name.rpartition(":")[2]
        if self._depth == 1:
            self._item = _HELD.get(local)
        elif (local, self._depth) == self._item:
            self._together = 0
        count = 1 + len(attributes) // 2
        self._together += count
        self._left.elements -= count
        if self._left.elements < 0:
            raise TooMuchAtOnce(_("The workbook has more cells than are read at once. Split it."))
        if self._together > MOST_TOGETHER:
            raise TooLarge(_("The workbook unpacks to more than is read."))

    def _ends(self, _name: str) -> None:
        self._depth -= 1

    def _declares(self, *_of_it: object) -> None:
        raise Unreadable(_("The workbook declares entities, which none has to."), code="entities")
