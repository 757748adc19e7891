"""Constraints and indexes that count only rows which are not deleted."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, UniqueConstraint
from django.db.models.expressions import BaseExpression

LIVE = Q(deleted_at__isnull=True)
"""The condition of indexes that serve lists, which never show deleted rows."""


def UniqueAmongLive(  # noqa: N802 - reads like the constraint classes it stands among
    *parts: str | BaseExpression, name: str, condition: Q | None = None, **options: Any
) -> UniqueConstraint:
    """Return a unique constraint over fields or expressions of the rows that are not deleted.

    ``condition`` narrows it further. Strings are field names, unless an expression is among them: then
    they are expressions too. ``options`` are those of ``UniqueConstraint``.
    """
    where = LIVE if condition is None else LIVE & condition
    if all(isinstance(part, str) for part in parts):
        names = tuple(part for part in parts if isinstance(part, str))
        return UniqueConstraint(fields=names, name=name, condition=where, **options)
    return UniqueConstraint(*parts, name=name, condition=where, **options)
