"""Answers given once more, without what the caller may no longer read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from platform_core.resource import declared
from platform_core.resource.conditional import tag_of
from platform_core.resource.field_access import judged
from platform_core.resource.rendering import JSON, dumps

if TYPE_CHECKING:
    from django.http import HttpResponse

    from platform_core.resource.base import Resource

Row = dict[str, Any]


def as_readable_now(view: Resource, response: HttpResponse) -> HttpResponse:
    """Return a kept ``response`` of ``view`` without the fields that its actor may not read now.

    What tells of an operation that was started shows nothing of the row.

    Also without such a name in what an operation of a plugin answered: what it means there nobody knows.
    """
    accessible = view.accessible
    named = {*accessible.unreadable, *accessible.readable_where}
    if not named or response.status_code == 202 or response.get("Content-Type") != JSON:
        return response
    body = orjson.loads(response.content)
    rows = [row for row in _rows_in(body) if not named.isdisjoint(row)]
    if not rows:
        return response
    _take_out(view, rows)
    response.content = dumps(body)
    version = response.get("ETag", "").strip('"').partition("-")[0]
    if version.isdecimal():
        response["ETag"] = tag_of(int(version), response.content)
    return response


def _rows_in(body: Any) -> Iterator[Row]:
    """Yield the objects that an answer shows: itself, and the results of a bulk call."""
    if not isinstance(body, dict):
        return
    yield body
    results = body.get("results")
    for result in results if isinstance(results, list) else ():
        if isinstance(result, dict) and isinstance(result.get("data"), dict):
            yield result["data"]


def _take_out(view: Resource, rows: list[Row]) -> None:
    conditions = view.accessible.conditions
    allowed: dict[str, frozenset[str]] = {}
    if conditions:
        ids = [row["id"] for row in rows if "id" in row]
        found = judged(
            declared.rows_of(type(view), True).filter(pk__in=ids), view.actor, conditions
        )
        for pk, *outcomes in found.values_list("pk", *(one.alias for one in conditions)):
            held = zip(conditions, outcomes, strict=True)
            allowed[str(pk)] = frozenset[str]().union(
                *(one.names for one, outcome in held if outcome is True)
            )
    for row in rows:
        readable = allowed.get(str(row.get("id")), frozenset())
        doubtful = {*view.accessible.unreadable, *view.accessible.readable_where} - readable
        for name in doubtful & row.keys():
            del row[name]
