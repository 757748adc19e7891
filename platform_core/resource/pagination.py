"""Keyset pages: both ways over any declared order with ties and nulls, without counting and stable under writes."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.core.exceptions import ValidationError
from django.core.validators import DecimalValidator
from django.db import connection, models
from django.db.models.expressions import F, Func, OrderBy, Value
from django.utils.translation import gettext_lazy as _

from platform_core.resource.problems import QueryRefused
from platform_core.resource.rendering import dumps

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import Model, QuerySet
    from django.db.models.sql.compiler import SQLCompiler

DEFAULT_LIMIT = 25
MAX_LIMIT = 200
_BACKWARD = "<"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an order; NULL counts as greater than every value, as PostgreSQL has it."""

    name: str
    descending: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page starts: behind the row with ``values``, or before it when ``backward``."""

    values: tuple[Any, ...]
    backward: bool = False

    @property
    def shape(self) -> tuple[bool, ...]:
        """Return all that the text of the SQL depends on: the direction, and which values are NULL."""
        return (self.backward, *(value is None for value in self.values))


@dataclass(frozen=True, slots=True)
class Keyset:
    """A total order of a model's rows: by ``columns``, the last of them unique and never NULL."""

    model: type[Model]
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, model: type[Model], ordering: str) -> Keyset:
        """Return the order that ``ordering`` (``family_name,-created_at``) says, made total by the primary key."""
        columns = []
        for one in ordering.split(","):
            name = one.removeprefix("-")
            field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
            columns.append(Column(field.name, one.startswith("-"), field.null))
        key = str(getattr(model._meta.pk, "name", ""))
        names = [column.name for column in columns]
        if key in names:
            columns = columns[: names.index(key) + 1]
        else:
            columns.append(Column(key, columns[-1].descending))
        return cls(model, tuple(columns))

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def signature(self) -> str:
        """Return the order as a cursor names it."""
        shown = self.columns[:-1] or self.columns
        return ",".join(f"{'-' if one.descending else ''}{one.name}" for one in shown)

    def order_by(self, *, backward: bool = False) -> tuple[OrderBy, ...]:
        """Return the arguments for ``order_by()``; PostgreSQL's own place for NULL turns round with the direction."""
        return tuple(
            OrderBy(F(column.name), descending=column.descending is not backward)
            for column in self.columns
        )

    def beyond(self, queryset: QuerySet[Any], place: Place) -> QuerySet[Any]:
        """Return the rows on the far side of ``place``."""
        fields: list[Any] = [self.model._meta.get_field(name) for name in self.fields]
        known = [
            Value(value, output_field=field)
            for value, field in zip(place.values, fields, strict=True)
        ]
        return queryset.filter(
            _Beyond(*map(F, self.fields), *known, columns=self.columns, place=place)
        )

    def parameters(self, place: Place, connection: BaseDatabaseWrapper) -> list[Any]:
        """Return the values of ``place`` in the order in which the condition of ``beyond`` sends them."""
        fields: list[Any] = [self.model._meta.get_field(name) for name in self.fields]
        sent = [
            field.get_db_prep_value(value, connection)
            for value, field in zip(place.values, fields, strict=True)
        ]
        return [sent[index] for index in _condition(self.columns, place)[1]]

    def encode(self, values: Sequence[Any], *, backward: bool = False) -> str:
        """Return the opaque cursor for the row whose order columns hold ``values``."""
        sign = _BACKWARD if backward else ""
        return cursor_of([sign + self.signature, *values])

    def decode(self, cursor: str) -> Place:
        """Return the place that ``cursor`` names.

        Raises ``QueryRefused`` when it was changed, or made for another order.
        """
        payload = content_of(cursor)
        if not isinstance(payload, list) or len(payload) != len(self.columns) + 1:
            raise bad_cursor()
        backward = payload[0] == _BACKWARD + self.signature
        if not backward and payload[0] != self.signature:
            raise bad_cursor()
        values = tuple(
            _typed(self.model._meta.get_field(column.name), value, nullable=column.nullable)
            for column, value in zip(self.columns, payload[1:], strict=True)
        )
        # One value has one spelling, so anything that reads alike but is spelled differently was not made here.
        if self.encode(values, backward=backward) != cursor:
            raise bad_cursor()
        return Place(values, backward)


class _Beyond(Func):
    """The condition of ``Keyset.beyond``: an expression of its own, so that its parameters stay in one row."""

    output_field = models.BooleanField()
    conditional = True

    def __init__(
        self, *expressions: Any, columns: tuple[Column, ...] = (), place: Place | None = None
    ) -> None:
        super().__init__(*expressions)
        self.columns = columns
        self.place = place

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        function: str | None = None,
        template: str | None = None,
        arg_joiner: str | None = None,
        **extra_context: Any,
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the condition over the first half of the expressions, with the second half as values."""
        parts = [compiler.compile(one) for one in self.source_expressions]
        half = len(parts) // 2
        assert self.place is not None
        text, sent = _condition(self.columns, self.place)
        names = [sql for sql, _params in parts[:half]]
        values = [params for _sql, params in parts[half:]]
        return text.format(*names), tuple(param for index in sent for param in values[index])


def _condition(columns: Sequence[Column], place: Place) -> tuple[str, list[int]]:
    """Return SQL with ``{0}`` for the columns and ``%s`` for values, and the index of each value in turn.

    One comparison of rows where all columns go one way and none can be NULL: PostgreSQL walks one index for it,
    where AND and OR would not.
    """
    downward = [column.descending is not place.backward for column in columns]
    if len(set(downward)) == 1 and not any(column.nullable for column in columns):
        left = ", ".join(f"{{{index}}}" for index in range(len(columns)))
        right = ", ".join(["%s"] * len(columns))
        return f"({left}) {'<' if downward[0] else '>'} ({right})", list(range(len(columns)))
    terms: list[str] = []
    sent: list[int] = []
    for index, column in enumerate(columns):
        strict, uses = _strictly_beyond(index, column, place.values[index], downward[index])
        if not strict:
            continue
        same = [
            f"{{{before}}} IS NULL" if place.values[before] is None else f"{{{before}}} = %s"
            for before in range(index)
        ]
        terms.append(" AND ".join([*same, strict]))
        sent += [before for before in range(index) if place.values[before] is not None]
        sent += [index] * uses
    return f"({' OR '.join(f'({term})' for term in terms)})", sent


def _strictly_beyond(index: int, column: Column, value: Any, downward: bool) -> tuple[str, int]:
    """Return the condition that one column is beyond ``value``, and how many values it sends; empty if none can be."""
    if value is None:
        return (f"{{{index}}} IS NOT NULL", 0) if downward else ("", 0)
    if downward:
        return f"{{{index}}} < %s", 1
    if column.nullable:
        return f"({{{index}}} > %s OR {{{index}}} IS NULL)", 1
    return f"{{{index}}} > %s", 1


def _typed(field: Any, value: Any, *, nullable: bool) -> Any:
    if value is None and nullable:
        return None
    try:
        typed = field.to_python(value)
        _require_storable(field, typed)
    except (ValidationError, ValueError, TypeError, OverflowError, ArithmeticError) as error:
        raise bad_cursor() from error
    naive = isinstance(typed, dt.datetime) and typed.tzinfo is None
    if typed is None or naive or (isinstance(typed, str) and "\x00" in typed):
        raise bad_cursor()
    return typed


def _require_storable(field: Any, value: Any) -> None:
    """Raise ValidationError for a number that the column cannot hold.

    The field's other validators are about input: what a plugin ships or an import has brought need not pass them.
    """
    if isinstance(field, models.DecimalField):
        DecimalValidator(field.max_digits, field.decimal_places)(value)
    elif isinstance(field, models.IntegerField):
        low, high = connection.ops.integer_field_range(field.get_internal_type())
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValidationError("out of range")


def cursor_of(payload: Any) -> str:
    """Return the opaque cursor that says ``payload``, which is JSON data."""
    return base64.urlsafe_b64encode(dumps(payload)).rstrip(b"=").decode()


def content_of(cursor: str) -> Any:
    """Return what ``cursor`` says; raises ``QueryRefused`` when it is no cursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise bad_cursor() from error


def bad_cursor() -> QueryRefused:
    """Return the refusal of a cursor that was not made for this list."""
    return QueryRefused(
        "cursor",
        _("This cursor belongs to no page of this list; start without it."),
        "invalid_cursor",
    )


def limit_of(text: str | None) -> int:
    """Return the page size asked for.

    Raises ``QueryRefused`` unless it is a whole number from 1 to 200.
    """
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
        raise QueryRefused("limit", _("The limit is a number from 1 to 200."), "invalid_limit")
    return int(text)
