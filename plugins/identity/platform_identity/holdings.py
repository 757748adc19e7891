"""What roles give a user: by the assignments that count now, or by those that go on counting until a time."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from functools import lru_cache
from uuid import UUID

from django.db import connection

from platform_core.access import Actor, Grant, Grants, PermissionRegistry, installed_permissions

_NOW = """
SELECT a.scope, a.unit_id, a.object_id, r.holds_all, array_to_json(r.effective_permissions)::text
FROM identity_roleassignment AS a
JOIN identity_role AS r ON r.id = a.role_id AND r.deleted_at IS NULL
JOIN identity_user AS u ON u.id = a.user_id AND u.deleted_at IS NULL AND u.suspended_at IS NULL
WHERE a.user_id = %s AND a.deleted_at IS NULL
  AND (a.starts_at IS NULL OR a.starts_at <= statement_timestamp())
  AND (a.ends_at IS NULL OR a.ends_at > statement_timestamp())
"""
# A comparison with NULL is not true: for good only what has no end itself.
_UNTIL = _NOW + "  AND (a.ends_at IS NULL OR a.ends_at >= %s)\n"


def held_now(actor: Actor) -> Grants:
    """Return what a user holds now, in one query; service actors are assigned no roles."""
    return _held(actor, _NOW, (actor.id,))


def held_until(actor: Actor, ends_at: dt.datetime | None) -> Grants:
    """Return what a user holds from now until ``ends_at`` without a break, or for good with None.

    Each assignment counts by itself: two that follow one another are not added up.
    """
    return _held(actor, _UNTIL, (actor.id, ends_at))


def _held(actor: Actor, query: str, parameters: tuple[UUID | dt.datetime | None, ...]) -> Grants:
    if actor.kind != "user":
        return Grants.none()
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows = cursor.fetchall()
    return _grants_of(installed_permissions(), tuple(rows))


Assigned = tuple[str, UUID | None, UUID | None, bool, str]
"""Scope, unit, object, whether the role holds everything, and what else it holds as a JSON list."""


@lru_cache(maxsize=1024)
def _grants_of(registry: PermissionRegistry, assigned: tuple[Assigned, ...]) -> Grants:
    """Return what assignments give; those of colleagues are often alike, and the same at each request."""
    everywhere: set[str] = set()
    units: dict[str, set[UUID]] = defaultdict(set)
    objects: dict[str, set[UUID]] = defaultdict(set)
    for scope, unit_id, object_id, holds_all, effective in assigned:
        names = {one.name for one in registry} if holds_all else set(json.loads(effective))
        key = unit_id if scope == "unit" else object_id
        if scope == "deployment":
            everywhere |= names
        elif key is not None:
            held = units if scope == "unit" else objects
            for name in names:
                held[name].add(key)
    return Grants(
        {
            name: Grant(
                everywhere=name in everywhere,
                units=frozenset(units.get(name, ())),
                objects=frozenset(objects.get(name, ())),
            )
            for name in everywhere | units.keys() | objects.keys()
        }
    )
