"""Many rows in one call: each in a savepoint with a result of its own, or all or nothing when the client says so."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from django.db import OperationalError, transaction
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, ValidationError

from platform_core.resource.operations import Operation
from platform_core.resource.problems import answer_to
from platform_core.resource.requests import preferences_in
from platform_core.resource.trail import code_of

if TYPE_CHECKING:
    from platform_core.resource.base import Resource

T = TypeVar("T")

BULK_PREFIX = "bulk:"
MOST_ITEMS = 500
STRICT = "handling=strict"
"""What a client prefers (RFC 7240) for whom one failure is the failure of all."""
BULK_ACTIONS: Mapping[str, str] = {
    "create": "create",
    "update": "partial_update",
    "delete": "destroy",
    "restore": "restore",
}
"""The verb in the URL and the action that it runs for each item; operations go by their own."""


class BulkRefused(APIException):
    """Some items failed and the client asked for all or nothing; ``results`` says which and why."""

    status_code = 422
    default_code = "bulk_failed"
    default_detail = _("Some items cannot be accepted; nothing was written.")

    def __init__(self, results: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.extra = {"results": results}


def bulk_routes(
    actions: Sequence[str], operations: Mapping[str, Operation]
) -> Iterator[tuple[str, str]]:
    """Yield the last part of the URL and the action of each bulk call that a resource offers."""
    for verb, action in BULK_ACTIONS.items():
        if action in actions:
            yield verb, action
    for verb, operation in operations.items():
        yield operation.path, verb


def perform_bulk(view: Resource) -> HttpResponse:
    """Run the view's action for each of the items and answer a result for each, in their order.

    With ``Prefer: handling=strict`` one failure undoes all. Rows are locked in the order of their ids, so that two
    calls about the same rows cannot wait for each other.
    """
    items = _items(view.request.data)
    view.charge_items(len(items))
    strict = is_strict(view.request.headers.get("Prefer", ""))
    results: list[dict[str, Any]] = [{} for _item in items]
    for index in sorted(range(len(items)), key=lambda one: _id_of(items[one])):
        results[index] = {"index": index, **_result(view, items[index])}
    failed = sum(1 for one in results if "problem" in one)
    if strict and failed:
        raise BulkRefused([one for one in results if "problem" in one])
    response = view.respond(
        {"results": results, "succeeded": len(results) - failed, "failed": failed}
    )
    if strict:
        response["Preference-Applied"] = STRICT
    return response


def _items(body: Any) -> Sequence[Any]:
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or set(body) != {"items"}:
        raise ValidationError({"items": [_("A list of items is expected, and nothing else.")]})
    if not 1 <= len(items) <= MOST_ITEMS:
        raise ValidationError({"items": [_("Send 1 to 500 items.")]}, code="too_many")
    return items


def is_strict(preference: str) -> bool:
    """Tell whether ``Prefer`` (RFC 7240) says that one failure is the failure of all."""
    return STRICT in preferences_in(preference)


def _id_of(item: Any) -> str:
    return str(item.get("id", "")) if isinstance(item, dict) else ""


def attempt(view: Resource, work: Callable[[], T]) -> tuple[T | None, HttpResponse | None]:
    """Do ``work`` in a savepoint; return what it returns, or else the problem for which it was undone.

    An error that is nobody's input is raised again and ends the whole call.
    """
    try:
        with transaction.atomic():
            return work(), None
    except OperationalError:
        raise
    except Exception as error:  # expected ones become the item's result, others are raised again
        refusal = answer_to(view.request, error, view)
        if refusal is None:
            raise
        if view.trail is not None:
            view.trail.refused(view.kwargs.get("id"), refusal.status_code, code_of(refusal))
        return None, refusal


def _result(view: Resource, item: Any) -> dict[str, Any]:
    """Return what one item came to."""
    response, refusal = attempt(view, lambda: _run(view, item))
    if response is None:
        assert refusal is not None
        return {"status": refusal.status_code, "problem": orjson.Fragment(refusal.content)}
    found: dict[str, Any] = {"status": response.status_code}
    if response.content:
        found["data"] = orjson.Fragment(response.content)
    return found


def _run(view: Resource, item: Any) -> HttpResponse:
    if not isinstance(item, dict):
        raise ValidationError(_("An object is expected."))
    body = dict(item)
    view.if_match = None
    view.kwargs = {}
    if view.action != "create":
        view.kwargs = {"id": _id(body.pop("id", None), view.id_converter)}
        view.if_match = body.pop("if_match", None)
        if view.if_match is not None and not isinstance(view.if_match, str):
            raise ValidationError({"if_match": [_("An ETag is expected.")]})
    view.body = body
    return view.change_one()


def _id(value: Any, converter: str) -> uuid.UUID | int:
    try:
        if converter == "uuid":
            return uuid.UUID(value)
        if isinstance(value, bool) or not 0 <= (number := int(value)) < 1 << 63:
            raise ValueError("no number of a record")
        return number
    except (ValueError, TypeError, AttributeError):
        raise ValidationError({"id": [_("An id is expected.")]}) from None
