"""Answers given once more, without what the caller may no longer read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from django.http import Http404

from platform_core.resource import declared
from platform_core.resource.conditional import tag_of
from platform_core.resource.field_access import judged
from platform_core.resource.rendering import JSON, dumps

if TYPE_CHECKING:
    from django.http import HttpResponse

    from platform_core.resource.base import Resource

Row = dict[str, Any]


def as_readable_now(view: Resource, response: HttpResponse) -> HttpResponse:
    """Return a kept ``response`` of ``view`` without the rows that its actor may not view now, and the fields that they may not read.

    What tells of an operation that was started shows nothing of the row. Raises ``Http404`` when the call was about one row
    and that is out of sight.

    Also without such a name in what an operation of a plugin answered: what it means there nobody knows.
    """
    if response.status_code == 202 or response.get("Content-Type") != JSON:
        return response
    accessible = view.accessible
    named = {*accessible.unreadable, *accessible.readable_where}
    body = orjson.loads(response.content)
    is_cut = _withhold(view, body)
    rows = [row for row in _rows_in(body) if not named.isdisjoint(row)]
    if not rows and not is_cut:
        return response
    _take_out(view, rows)
    response.content = dumps(body)
    version = response.get("ETag", "").strip('"').partition("-")[0]
    if version.isdecimal():
        response["ETag"] = tag_of(int(version), response.content)
    return response


def _withhold(view: Resource, body: Any) -> bool:
    """Take the data of rows that are out of sight out of the results of a bulk call, and tell whether there were any."""
    if not view.is_bulk:
        key = view.kwargs.get("id") or (body.get("id") if isinstance(body, dict) else None)
        if key is not None and _out_of_sight(view, [key]):
            raise Http404
        return False
    whole: Any = view.request.data
    sent = whole["items"]
    results = [one for one in body["results"] if "data" in one]
    keys = [_key_of(one["data"], sent[one["index"]]) for one in results]
    hidden = _out_of_sight(view, [key for key in keys if key is not None])
    for one, key in zip(results, keys, strict=True):
        if str(key) in hidden:
            del one["data"]
    return bool(hidden)


def _key_of(data: Any, item: Mapping[str, Any]) -> Any:
    return item.get("id") or (data.get("id") if isinstance(data, dict) else None)


def _out_of_sight(view: Resource, keys: Collection[Any]) -> set[str]:
    """Return those of ``keys`` whose rows the actor may not view: of rows that are gone for good, whoever may view none."""
    rows = declared.rows_of(type(view), True).filter(pk__in=keys)
    seen = view.policy.scope(view.actor, rows)
    hidden = {str(key) for key in keys} - {str(key) for key in seen.values_list("pk", flat=True)}
    if not hidden or not view.policy.may_some(view.actor, "view"):
        return hidden
    return hidden & {str(key) for key in rows.values_list("pk", flat=True)}


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
