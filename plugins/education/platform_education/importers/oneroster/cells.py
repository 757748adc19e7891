"""What the cells of OneRoster's files mean: one function per type of column, and the marking of columns."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

Parse = Callable[[str], Any]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class CellError(ValueError):
    """A cell does not hold what its column asks for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """How a field of a row is read: its header, its type, and whether header and cell have to be there."""

    header: str
    parse: Parse
    empty: Any
    required: bool
    in_header: bool


def cell(
    header: str, parse: Parse, *, empty: Any = None, required: bool = False, in_header: bool = False
) -> Any:
    """Return the dataclass field for the column ``header``; an empty cell gives ``empty`` or is refused."""
    column = Column(header, parse, empty, required, in_header or required)
    return dataclasses.field(default=empty, metadata={"column": column})


def text(limit: int) -> Parse:
    """Return the type of texts of at most ``limit`` characters."""

    def parse(value: str) -> str:
        if len(value) > limit:
            raise CellError(_("It is longer than %(limit)d characters.") % {"limit": limit})
        return value

    return parse


def texts(limit: int = 255) -> Parse:
    """Return the type of comma-separated lists of such texts; empty parts are dropped."""
    one = text(limit)

    def parse(value: str) -> tuple[str, ...]:
        return tuple(one(part.strip()) for part in value.split(",") if part.strip())

    return parse


def one_of(choices: Iterable[str]) -> Parse:
    """Return the type of the words of a vocabulary; case does not matter."""
    known = {choice.lower(): choice for choice in choices}

    def parse(value: str) -> str:
        found = known.get(value.lower())
        if found is None:
            raise CellError(
                _("“%(value)s” is not one of: %(known)s.")
                % {"value": value[:50], "known": ", ".join(known.values())}
            )
        return found

    return parse


def day(value: str) -> datetime.date:
    """Return a date written as YYYY-MM-DD."""
    try:
        if not _DAY.fullmatch(value):
            raise ValueError
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise CellError(
            _("“%(value)s” is no date; write it as 2026-09-01.") % {"value": value[:50]}
        ) from None


def moment(value: str) -> str:
    """Check a date or date and time, which is not kept."""
    try:
        if parse_datetime(value) is not None:
            return value
    except ValueError:
        pass
    day(value)
    return value


def truth(value: str) -> bool:
    """Return true or false."""
    lowered = value.lower()
    if lowered not in ("true", "false"):
        raise CellError(_("“%(value)s” is neither true nor false.") % {"value": value[:50]})
    return lowered == "true"


def year(value: str) -> int:
    """Return a year of four digits."""
    if not (len(value) == 4 and value.isascii() and value.isdigit() and value >= "1900"):
        raise CellError(_("“%(value)s” is no year; write four digits.") % {"value": value[:50]})
    return int(value)


def address(value: str) -> str:
    """Return an e-mail address."""
    try:
        validate_email(value)
    except ValidationError:
        raise CellError(_("This is no e-mail address.")) from None
    return text(254)(value)  # type: ignore[no-any-return]
