"""Keyset pages: forward over one non-null ordering and the id, without counting and stable under writes."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Func, Value
from django.utils.translation import gettext_lazy as _

from platform_core.resource.problems import QueryRefused
from platform_core.resource.rendering import dumps

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import Model, QuerySet
    from django.db.models.sql.compiler import SQLCompiler

DEFAULT_LIMIT = 25
MAX_LIMIT = 200


class _RowCompares(Func):
    """``(a, b) > (x, y)``: PostgreSQL walks one index for it, where AND and OR would not."""

    output_field = models.BooleanField()
    conditional = True

    def __init__(self, *expressions: Any, operator: str = ">") -> None:
        super().__init__(*expressions)
        self.operator = operator

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        function: str | None = None,
        template: str | None = None,
        arg_joiner: str | None = None,
        **extra_context: Any,
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the comparison of the first half of the expressions with the second."""
        parts = [compiler.compile(one) for one in self.source_expressions]
        half = len(parts) // 2
        left, right = (
            ", ".join(sql for sql, _params in side) for side in (parts[:half], parts[half:])
        )
        params = tuple(param for _sql, part in parts for param in part)
        return f"({left}) {self.operator} ({right})", params


@dataclass(frozen=True, slots=True)
class Keyset:
    """A total order of a model's rows: by ``fields``, the last of them unique, all in one direction."""

    model: type[Model]
    fields: tuple[str, ...]
    descending: bool = False

    @property
    def order_by(self) -> tuple[str, ...]:
        """Return the arguments for ``order_by()``."""
        sign = "-" if self.descending else ""
        return tuple(sign + name for name in self.fields)

    def after(self, queryset: QuerySet[Any], cursor: str) -> QuerySet[Any]:
        """Return the rows behind ``cursor``.

        Raises ``QueryRefused`` when the cursor is not one of this order.
        """
        values = self.decode(cursor)
        fields: list[Any] = [self.model._meta.get_field(name) for name in self.fields]
        known = [
            Value(value, output_field=field) for value, field in zip(values, fields, strict=True)
        ]
        operator = "<" if self.descending else ">"
        return queryset.filter(
            _RowCompares(*(models.F(name) for name in self.fields), *known, operator=operator)
        )

    def parameters(self, cursor: str, connection: BaseDatabaseWrapper) -> list[Any]:
        """Return the values in ``cursor`` as ``connection`` sends them; raises ``QueryRefused`` as ``decode``."""
        fields: list[Any] = [self.model._meta.get_field(name) for name in self.fields]
        return [
            field.get_db_prep_value(value, connection)
            for value, field in zip(self.decode(cursor), fields, strict=True)
        ]

    def encode(self, values: Sequence[Any]) -> str:
        """Return the opaque cursor for the row whose order fields hold ``values``."""
        payload = dumps([self.order_by[0], *values])
        return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()

    def decode(self, cursor: str) -> list[Any]:
        """Return the values in ``cursor``.

        Raises ``QueryRefused`` when it was changed, or made for another order.
        """
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            payload = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, binascii.Error) as error:
            raise _bad_cursor() from error
        if not isinstance(payload, list) or len(payload) != len(self.fields) + 1:
            raise _bad_cursor()
        if payload[0] != self.order_by[0]:
            raise _bad_cursor()
        values = [
            _typed(self.model._meta.get_field(name), value)
            for name, value in zip(self.fields, payload[1:], strict=True)
        ]
        # One value has one spelling, so anything that reads alike but is spelled differently was not made here.
        if self.encode(values) != cursor:
            raise _bad_cursor()
        return values


def _typed(field: Any, value: Any) -> Any:
    try:
        typed = field.to_python(value)
        field.run_validators(typed)
    except (ValidationError, ValueError, TypeError, OverflowError, ArithmeticError) as error:
        raise _bad_cursor() from error
    naive = isinstance(typed, dt.datetime) and typed.tzinfo is None
    if typed is None or naive or (isinstance(typed, str) and "\x00" in typed):
        raise _bad_cursor()
    return typed


def _bad_cursor() -> QueryRefused:
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
