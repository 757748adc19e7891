"""What roles give a user: by the assignments that count now, or by those that go on counting until a time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import lru_cache
from uuid import UUID

import orjson

from platform_core.access import Actor, Grant, Grants, PermissionRegistry, installed_permissions
from platform_core.prepared import fetch_prepared

_ASSIGNED = """(
    SELECT json_agg(
        json_build_array(a.scope, a.unit_id, a.object_id, r.holds_all, r.effective_permissions) ORDER BY a.id
    )::text
    FROM identity_roleassignment AS a
    JOIN identity_role AS r ON r.id = a.role_id AND r.deleted_at IS NULL
    WHERE a.user_id = u.id AND a.deleted_at IS NULL
      AND (a.starts_at IS NULL OR a.starts_at <= statement_timestamp())
      AND (a.ends_at IS NULL OR a.ends_at > statement_timestamp())%s
)"""
ASSIGNED_NOW = _ASSIGNED % ""
"""A column of a query about ``identity_user AS u``: what ``grants_of`` reads."""
# A comparison with NULL is not true: for good only what has no end itself.
_ASSIGNED_UNTIL = _ASSIGNED % "\n      AND (a.ends_at IS NULL OR a.ends_at >= %s)"
_OF_USER = """
SELECT {} FROM identity_user AS u
WHERE u.id = %s AND u.deleted_at IS NULL AND u.suspended_at IS NULL
"""
_NOW = _OF_USER.format(ASSIGNED_NOW)
_UNTIL = _OF_USER.format(_ASSIGNED_UNTIL)


def held_now(actor: Actor) -> Grants:
    """Return what a user holds now, in one query; service actors are assigned no roles."""
    return _held(actor, _NOW, (actor.id,))


def held_until(actor: Actor, ends_at: dt.datetime | None) -> Grants:
    """Return what a user holds from now until ``ends_at`` without a break, or for good with None.

    Each assignment counts by itself: two that follow one another are not added up.
    """
    return _held(actor, _UNTIL, (ends_at, actor.id))


def grants_of(assigned: str | None) -> Grants:
    """Return what the assignments give that a query found as ``ASSIGNED_NOW``."""
    return Grants.none() if assigned is None else _grants_of(installed_permissions(), assigned)


def _held(actor: Actor, query: str, parameters: tuple[UUID | dt.datetime | None, ...]) -> Grants:
    if actor.kind != "user":
        return Grants.none()
    rows = fetch_prepared(query, parameters)
    return grants_of(rows[0][0]) if rows else Grants.none()


@lru_cache(maxsize=1024)
def _grants_of(registry: PermissionRegistry, assigned: str) -> Grants:
    """Return what assignments give; those of colleagues are often alike, and the same at each request.

    Of each: scope, unit, object, whether the role holds everything, and what else it holds.
    """
    everywhere: set[str] = set()
    units: dict[str, set[UUID]] = defaultdict(set)
    objects: dict[str, set[UUID]] = defaultdict(set)
    for scope, unit_id, object_id, holds_all, effective in orjson.loads(assigned):
        names = {one.name for one in registry} if holds_all else set(effective)
        key = unit_id if scope == "unit" else object_id
        if scope == "deployment":
            everywhere |= names
        elif key is not None:
            held = units if scope == "unit" else objects
            for name in names:
                held[name].add(UUID(key))
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
