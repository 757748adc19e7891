"""Values for model fields that fit their type, length, choices and validators, and differ from row to row."""

from __future__ import annotations

import datetime as dt
import decimal
import string
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Field

FIRST_DAY = dt.date(2000, 1, 3)
DAYS_APART = 10
"""Days between the dates of one row and the next, so that spans of dates do not overlap."""


class NoValue(Exception):
    """No value that would fit is known for a field."""


def value_for(field: Field[Any, Any], row: int, position: int) -> Any:
    """Return a value for ``field`` of the ``row``-th row.

    Values grow with ``position``, the field's place in its model, so that an end lies after a beginning. Raises
    NoValue when no candidate passes the field's validators.
    """
    if field.choices:
        return _first_choice(field)
    for candidate in _candidates(field, row, position):
        try:
            field.run_validators(candidate)
        except ValidationError:
            continue
        return candidate
    raise NoValue(f"No value for {field} is known.")


def _first_choice(field: Field[Any, Any]) -> Any:
    return next(value for value, _ in field.flatchoices if value not in (None, ""))


def _candidates(field: Field[Any, Any], row: int, position: int) -> Iterator[Any]:
    for kind, make in _MAKERS:
        if isinstance(field, kind):
            yield from make(field, row, position)
            return


def _texts(field: Any, row: int, position: int) -> Iterator[str]:
    number = _base36(row)
    words = [f"{field.name.replace('_', ' ')} {number}", f"{field.name}-{number}", number]
    words += [f"a{number}", number.upper(), f"A{number.upper()}", str(row), "en", "FR"]
    words += [f"f{number}@example.org", f"https://example.org/{number}", f"+3312345{row:05d}"]
    words += [str(uuid.UUID(int=row)), FIRST_DAY.isoformat(), "Europe/Paris", "#112233", "0"]
    longest = field.max_length
    for word in words:
        if longest is None or len(word) <= longest:
            yield word


def _emails(field: Any, row: int, position: int) -> Iterator[str]:
    yield f"row{_base36(row)}@example.org"


def _urls(field: Any, row: int, position: int) -> Iterator[str]:
    yield f"https://example.org/{_base36(row)}"


def _slugs(field: Any, row: int, position: int) -> Iterator[str]:
    yield from (f"row-{_base36(row)}"[-(field.max_length or 50) :], _base36(row))


def _whole_numbers(field: Any, row: int, position: int) -> Iterator[int]:
    low, high = _limits(field, 1, 32_000)
    span = high - low + 1
    yield low + (row + position) % span if span > 0 else low


def _decimals(field: Any, row: int, position: int) -> Iterator[decimal.Decimal]:
    low, high = _limits(field, 0, 10 ** (field.max_digits - field.decimal_places) - 1)
    whole = low + (row + position) % max(1, int(high - low) + 1)
    yield (
        decimal.Decimal(whole).scaleb(0).quantize(decimal.Decimal(1).scaleb(-field.decimal_places))
    )


def _limits(field: Any, low: int, high: int) -> tuple[int, int]:
    for validator in field.validators:
        limit: Any = getattr(validator, "limit_value", None)
        limit = limit() if callable(limit) else limit
        if isinstance(validator, MinValueValidator):
            low = max(low, int(limit))
        if isinstance(validator, MaxValueValidator):
            high = min(high, int(limit))
    return low, high


def _dates(field: Any, row: int, position: int) -> Iterator[dt.date]:
    day = FIRST_DAY + dt.timedelta(days=row % 30_000 * DAYS_APART + position % DAYS_APART)
    yield day


def _datetimes(field: Any, row: int, position: int) -> Iterator[dt.datetime]:
    for day in _dates(field, row, position):
        yield dt.datetime.combine(day, dt.time(8), tzinfo=dt.UTC)


def _times(field: Any, row: int, position: int) -> Iterator[dt.time]:
    yield dt.time(8 + position % 12, row % 60)


def _one_of(make: Callable[[int], Any]) -> Callable[[Any, int, int], Iterator[Any]]:
    def found(field: Any, row: int, position: int) -> Iterator[Any]:
        yield make(row)

    return found


def _lists(field: Any, row: int, position: int) -> Iterator[list[Any]]:
    yield [value_for(field.base_field, row, position)]


_DIGITS = string.digits + string.ascii_lowercase


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
        if not number:
            return digits


_MAKERS: tuple[tuple[Any, Callable[[Any, int, int], Iterator[Any]]], ...] = (
    (models.EmailField, _emails),
    (models.URLField, _urls),
    (models.SlugField, _slugs),
    ((models.CharField, models.TextField), _texts),
    (models.BooleanField, _one_of(lambda _row: False)),
    (models.IntegerField, _whole_numbers),
    (models.DecimalField, _decimals),
    (models.FloatField, _one_of(float)),
    (models.DateTimeField, _datetimes),
    (models.DateField, _dates),
    (models.TimeField, _times),
    (models.DurationField, _one_of(lambda row: dt.timedelta(minutes=row + 1))),
    (models.UUIDField, _one_of(lambda _row: uuid.uuid4())),
    (models.JSONField, _one_of(lambda row: {"row": row})),
    (models.BinaryField, _one_of(lambda row: row.to_bytes(8, "big"))),
    (models.GenericIPAddressField, _one_of(lambda row: f"192.0.2.{row % 250 + 1}")),
    (ArrayField, _lists),
)
"""First match wins, so the narrower class comes first; DateTimeField is a DateField."""
