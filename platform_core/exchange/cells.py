"""From values to cells and back: no cell becomes a formula, and nothing is lost on the way there and back.

A spreadsheet takes a text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break for something to run, also
after spaces and in full width. Such a text gets an apostrophe in front, and so does one that has apostrophes before
such a beginning already; reading takes one away. Numbers of number columns are left alone.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from django.utils.translation import gettext_lazy as _

from platform_core.exchange.errors import CellRefused

Kind = Literal[
    "text", "integer", "float", "decimal", "boolean", "date", "datetime", "json", "other"
]
Cell = str | int | float | bool | None
"""What a cell holds as it is written: texts are safe already."""

_DANGEROUS = r"(?:[\t\r\n]|\s*[=+\-@＝＋－＠﹢﹣﹦﹫])"
_BECOMES_A_FORMULA = re.compile(rf"'*{_DANGEROUS}")
_NEUTRALISED = re.compile(rf"'+{_DANGEROUS}")
_ONLY_APOSTROPHES = re.compile(r"'+\Z")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\Z", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,40}\Z", re.ASCII)
_NUMERIC: frozenset[Kind] = frozenset({"integer", "float", "decimal"})
_WORDS = {
    **dict.fromkeys(("true", "1", "wahr", "vrai"), True),
    **dict.fromkeys(("false", "0", "falsch", "faux"), False),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: its heading, what its values are, and whether NULL and the empty text differ in it."""

    name: str
    kind: Kind = "other"
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Untaken:
    """A cell that was read and cannot be taken: a formula, or what one failed with."""

    text: str
    refusal: CellRefused

    def __str__(self) -> str:
        return self.text


class Blank:
    """The type of ``BLANK``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "BLANK"


BLANK = Blank()
"""An empty cell: what it means, depends on the column and on what is done with the row."""


def neutralise(text: str, *, nullable: bool = False) -> str:
    """Return ``text`` so that no spreadsheet runs it; where NULL is possible, the empty text becomes an apostrophe."""
    if _BECOMES_A_FORMULA.match(text):
        return f"'{text}"
    if nullable and (not text or _ONLY_APOSTROPHES.match(text)):
        return f"'{text}"
    return text


def restore(text: str, *, nullable: bool = False) -> str:
    """Return the text that ``neutralise`` made ``text`` of."""
    if _NEUTRALISED.match(text) or (nullable and _ONLY_APOSTROPHES.match(text)):
        return text[1:]
    return text


def encode(value: Any, column: Column) -> Cell:
    """Return what stands in a cell for ``value``, which is as JSON shows it or as it was loaded."""
    if value is None:
        return None
    if column.kind == "json":
        return _json(value)
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    text = str(value) if isinstance(value, str) else _json(value)
    if not isinstance(value, str) and text.startswith('"'):
        text = str(orjson.loads(text))
    if column.kind in _NUMERIC and _NUMBER.match(text):
        return text
    return neutralise(text, nullable=column.nullable)


def _json(value: Any) -> str:
    return orjson.dumps(value, _plain, orjson.OPT_UTC_Z).decode()


def _plain(value: object) -> Any:
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return str(value) if not hasattr(value, "__iter__") or isinstance(value, str) else list(value)


def as_text(cell: Cell) -> str:
    """Return a cell as text files have it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return (
        cell
        if isinstance(cell, str)
        else orjson.dumps(cell).decode()
        if isinstance(cell, float)
        else str(cell)
    )


def decode(cell: Any, column: Column) -> Any:
    """Return the JSON value that ``cell`` stands for, or ``BLANK``.

    What is not of the column's kind is returned as text: whoever validates it says so better. Raises ``CellRefused``
    for JSON that is none, and for what cannot be taken.
    """
    if isinstance(cell, Untaken):
        raise cell.refusal
    if cell is None or cell == "":
        return BLANK
    if isinstance(cell, str):
        return _of_text(restore(cell, nullable=column.nullable), column.kind)
    return _of_typed(cell, column.kind)


def _of_text(text: str, kind: Kind) -> Any:
    if kind == "json":
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise CellRefused(_("Write it in JSON."), "malformed_json") from None
    if kind == "text":
        return text
    plain = text.strip()
    if kind == "boolean":
        return _WORDS.get(plain.lower(), plain)
    if kind == "integer" and _INTEGER.match(plain):
        return int(plain)
    if kind == "float" and _NUMBER.match(plain):
        return float(plain)
    return plain


def _of_typed(cell: Any, kind: Kind) -> Any:
    """Return the value of a cell that a spreadsheet keeps as a number, a truth or a date."""
    if isinstance(cell, bool):
        return cell if kind in ("boolean", "json") else as_text(cell)
    if isinstance(cell, (int, float)):
        whole = int(cell) if cell == cell // 1 else cell
        if kind in ("integer", "float", "json"):
            return whole
        return bool(cell) if kind == "boolean" and cell in (0, 1) else as_text(whole)
    if isinstance(cell, dt.datetime):
        if kind == "datetime":
            return cell.isoformat() + ("" if cell.tzinfo else "Z")
        at_midnight = cell.time() == dt.time()
        return cell.date().isoformat() if at_midnight else cell.isoformat()
    if isinstance(cell, (dt.date, dt.time)):
        return cell.isoformat()
    return str(cell)
