"""Two owners side by side: wherever an id may stand, another's is answered as one that nobody has, and nothing changes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rest_framework.relations import ManyRelatedField, PrimaryKeyRelatedField

from platform_core.access import Actor
from platform_core.resource import declared
from platform_core.resource.bulk import BULK_ACTIONS
from platform_core.resource.expansion import references_of
from platform_core.resource.filters import build_filters
from platform_core.resource.operations import operations_of
from platform_core.resource.rendering import dumps
from platform_core.testing.actors import client_for, new_user
from platform_core.testing.contract.bodies import new_body, serializer_for, writable
from platform_core.testing.contract.digest import database_digest
from platform_core.testing.contract.subjects import (
    ResourceSubject,
    all_permissions,
    stage,
    undone,
)
from platform_core.testing.contract.substitution import actor_towards, may_view, row_with
from platform_core.testing.factories import make

_TOLD_HEADERS = ("ETag", "Location", "Allow", "Retry-After", "Idempotency-Replayed", "Link")
_REQUEST_ID = re.compile(rb'"request_id":"[^"]*"')
_KEY = "Idempotency-Key"
_OF_WHAT_WAS_ASKED = ("platform_core_auditevent", "platform_core_auditpayload")
"""Tables that record refusals: asking is what happened, and changes nothing."""


@dataclass(frozen=True)
class Attempt:
    """A request that names an id, as ``{id}`` in its address and wherever else it may stand."""

    place: str
    method: str
    address: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, actor: Actor, key: Any) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and telling headers of the answer to ``key``, with the key itself taken out."""
        body = b"" if self.body is None else dumps(self.body)
        client: Any = client_for(actor)
        response = client.generic(
            self.method,
            self.address.replace("{id}", str(key)),
            body.replace(b"{id}", str(key).encode()),
            content_type="application/json",
            headers=dict(self.headers),
        )
        told = _REQUEST_ID.sub(b"", response.content).replace(str(key).encode(), b"{id}")
        known = {name: response[name] for name in _TOLD_HEADERS if name in response}
        return (
            response.status_code,
            told,
            {name: text.replace(str(key), "{id}") for name, text in known.items()},
        )


def check_two_worlds(subject: ResourceSubject) -> None:
    """Assert that an actor with every right on one row learns nothing of another's row and changes nothing of it.

    Its id stands in paths with bodies and preconditions, in items of bulk calls, in references of bodies alone and in
    lists; its columns stand in filters, searches, orders and cursors; its owner's Idempotency-Key is used again. Answers
    are compared to the byte with those to an id of no row, and all tables before and after.
    """
    with stage() as grants:
        mine, theirs = make(subject.model), make(subject.model)
        actor, other = new_user(), new_user()
        grants.give(actor, *all_permissions(), objects=[mine])
        grants.give(other, *all_permissions())
        if not may_view(actor, theirs):
            _check_attempts(subject, actor, theirs, list(_attempts(subject, other, theirs)))
            _check_mixed_bulk(subject, actor, mine, theirs)
            _check_lists(subject, actor, other, theirs)
            _check_keys(subject, actor, other, theirs)
        for name, model, many in _references(subject):
            row, hidden = make(subject.model), make(model)
            stranger = actor_towards(subject, model, grants, row)
            if not may_view(stranger, hidden):
                attempts = list(_reference_attempts(subject, stranger, row, name, many))
                _check_attempts(subject, stranger, hidden, attempts)
        _check_expansions(subject, grants)


def _attempts(subject: ResourceSubject, other: Actor, theirs: Any) -> Iterator[Attempt]:
    """Yield requests that name a row in their path, or as the item of a bulk call."""
    body = writable(subject, other, theirs)
    version = getattr(theirs, "version", 1)
    for action in subject.actions():
        if action.is_of_collection:
            continue
        address = f"{subject.url}{{id}}/{action.suffix}"
        sent: Any = None if action.reads or action.name in ("destroy", "restore") else {}
        if action.name in ("update", "partial_update"):
            sent = body
        place = f"{action.name} in the path"
        for tag in (f'"{version}"', '"999"', "*"):
            headers = {"If-None-Match" if action.reads else "If-Match": tag}
            yield Attempt(f"{place} with {tag}", action.method.upper(), address, sent, headers)
        if not action.reads:
            yield Attempt(
                f"{place} on trial", action.method.upper(), f"{address}?dry_run=true", sent
            )
    if "history" in subject.resource.actions:
        diff = f"{subject.url}{{id}}/history/diff/?from={version}&to={version}"
        yield Attempt("diff in the path", "GET", diff)
        if "partial_update" in subject.resource.actions:
            back = f"{subject.url}{{id}}/history/{version}/restore/"
            yield Attempt("revert in the path", "POST", back, {})
    for verb, change in _bulk_verbs(subject, body):
        item = {"id": "{id}", **change}
        address = f"{subject.url}bulk/{verb}/"
        for tagged in (item, {**item, "if_match": f'"{version}"'}):
            yield Attempt(f"an item of bulk/{verb}", "POST", address, {"items": [tagged]})
            yield Attempt(
                f"an item of a strict bulk/{verb}",
                "POST",
                address,
                {"items": [tagged]},
                {"Prefer": "handling=strict"},
            )


def _bulk_verbs(
    subject: ResourceSubject, body: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the bulk calls about rows that exist, each with what an item has beside its id."""
    for verb, action in BULK_ACTIONS.items():
        if verb != "create" and action in subject.resource.actions:
            yield verb, body if verb == "update" else {}
    for one in operations_of(subject.resource).values():
        yield one.path, {}


def _check_attempts(
    subject: ResourceSubject, actor: Actor, hidden: Any, attempts: list[Attempt]
) -> None:
    """Assert that each attempt is answered alike for ``hidden`` and for no row, and that no table changes."""
    before = database_digest(besides=_OF_WHAT_WAS_ASKED)
    for attempt in attempts:
        found, wanted = attempt.ask(actor, hidden.pk), attempt.ask(actor, uuid.uuid4())
        if found != wanted:
            raise AssertionError(
                f"{subject}: {attempt.place} answers {found} to an id of another's row, {wanted} to an "
                "id of no row."
            )
        if found[0] < 400 and "bulk" not in attempt.address and attempt.method != "GET":
            raise AssertionError(
                f"{subject}: {attempt.place} accepts an id that the actor may not see ({found[0]})."
            )
    changed = sorted(
        name
        for name, told in database_digest(besides=_OF_WHAT_WAS_ASKED).items()
        if told != before[name]
    )
    if changed:
        raise AssertionError(
            f"{subject}: requests about another's row changed {', '.join(changed)}."
        )


def _check_mixed_bulk(subject: ResourceSubject, actor: Actor, mine: Any, theirs: Any) -> None:
    """Assert that a row of one's own in the same bulk call opens no other's."""
    kept = _row_of(theirs)
    for verb, sent in _bulk_verbs(subject, {}):
        items = [{"id": str(row.pk), **sent} for row in (mine, theirs)]
        with undone():
            url = f"{subject.url}bulk/{verb}/"
            answer = client_for(actor).post(url, {"items": items}).json()
            statuses = [one["status"] for one in answer.get("results", ())]
            if (statuses and statuses[1] < 400) or _row_of(theirs) != kept:
                raise AssertionError(
                    f"{subject}: bulk/{verb} reaches another's row beside one of the actor's own ({statuses})."
                )


def _row_of(row: Any) -> Any:
    return type(row)._base_manager.filter(pk=row.pk).values().first()


def _check_lists(subject: ResourceSubject, actor: Actor, other: Actor, theirs: Any) -> None:
    """Assert that no filter, search, order, count or cursor of a list tells of another's row."""
    if subject.action("list") is None:
        return
    client = client_for(actor)
    for query in _queries(subject, theirs):
        answer = client.get(subject.url, {"limit": "200", "include": "count", **query})
        if answer.status_code != 200:
            continue
        told = answer.json()
        if str(theirs.pk) in {one["id"] for one in told["data"]}:
            raise AssertionError(f"{subject}: a list by {query} shows another's row.")
        if told["count"] != len(told["data"]):
            raise AssertionError(f"{subject}: a list by {query} counts rows that it does not show.")
    make(subject.model)
    page = client_for(other).get(subject.url, {"limit": "1"}).json()
    while page["next"]:
        answer = client.get(page["next"]).json()
        if str(theirs.pk) in {one["id"] for one in answer["data"]}:
            raise AssertionError(f"{subject}: a cursor that somebody else made shows their row.")
        page = client_for(other).get(page["next"]).json()


def _queries(subject: ResourceSubject, theirs: Any) -> Iterator[dict[str, str]]:
    yield {}
    for name in sorted(declared.ordering_names(subject.resource)):
        yield {"ordering": name}
    for one in build_filters(subject.model, subject.resource.filterset_fields).values():
        value = theirs
        for step in one.path:
            value = getattr(value, step, None)
        if value is None or one.lookup == "isnull":
            continue
        text = str(getattr(value, "pk", value))
        yield {one.parameter: f"{text},{text}" if one.lookup == "in" else text}
    for name in subject.resource.search_fields:
        if getattr(theirs, name):
            yield {"search": str(getattr(theirs, name))}


def _check_keys(subject: ResourceSubject, actor: Actor, other: Actor, theirs: Any) -> None:
    """Assert that the Idempotency-Key of somebody else's call answers nothing of it."""
    headers = {_KEY: f"two-worlds-{uuid.uuid4().hex}"}
    address = f"{subject.url}{theirs.pk}/"
    calls: list[tuple[str, str, Any]] = (
        [("PATCH", address, {})] if subject.action("partial_update") else []
    )
    if subject.action("create"):
        calls.append(("POST", subject.url, new_body(subject, other)))
    for method, where, body in calls:
        with undone():
            Attempt("a key", method, where, body, headers).ask(other, theirs.pk)
            status, _content, told = Attempt("a key", method, where, body, headers).ask(
                actor, theirs.pk
            )
            if "Idempotency-Replayed" in told or (method == "PATCH" and status != 404):
                raise AssertionError(
                    f"{subject}: {method} with the Idempotency-Key of another's call answers theirs ({status})."
                )


def _references(subject: ResourceSubject) -> Iterator[tuple[str, Any, bool]]:
    """Yield the references that a client may write: name, model, and whether it is a list of them."""
    for name, one in serializer_for(subject, new_user()).fields.items():
        many = isinstance(one, ManyRelatedField)
        relation = one.child_relation if many else one
        declared_rows = vars(relation).get("queryset")
        is_reference = isinstance(relation, PrimaryKeyRelatedField) and not one.read_only
        if is_reference and declared_rows is not None:
            yield name, declared_rows.model, many


def _reference_attempts(
    subject: ResourceSubject, actor: Actor, row: Any, name: str, many: bool
) -> Iterator[Attempt]:
    """Yield writes that name an id in the reference ``name``, alone and among those that are known."""
    present = writable(subject, actor, row)
    base = new_body(subject, actor)
    values: list[Any] = ["{id}"]
    if many:
        values = [["{id}"], [*present.get(name, ()), "{id}"], ["{id}", "{id}"]]
    match = {"If-Match": f'"{getattr(row, "version", 1)}"'}
    for value in values:
        change, told = {name: value}, f"{name} = {value}"
        if subject.action("create"):
            yield Attempt(f"{told} in create", "POST", subject.url, base | change)
            yield Attempt(
                f"{told} in bulk/create",
                "POST",
                f"{subject.url}bulk/create/",
                {"items": [base | change, base | change]},
            )
        if subject.action("partial_update"):
            address = f"{subject.url}{row.pk}/"
            yield Attempt(f"{told} in partial_update", "PATCH", address, change, match)
            yield Attempt(
                f"{told} in bulk/update",
                "POST",
                f"{subject.url}bulk/update/",
                {"items": [{"id": str(row.pk), "if_match": match["If-Match"], **change}]},
            )
        if subject.action("update"):
            address = f"{subject.url}{row.pk}/"
            yield Attempt(f"{told} in update", "PUT", address, present | change, match)


def _check_expansions(subject: ResourceSubject, grants: Any) -> None:
    """Assert that a reference to what the actor may not see stays an id, one step away and two."""
    if subject.action("retrieve") is None:
        return
    for name, model in references_of(serializer_for(subject, new_user())).items():
        row = row_with(subject, name)
        actor = actor_towards(subject, model, grants, row)
        for path in (name, f"{name}.{name}"):
            answer = client_for(actor).get(f"{subject.url}{row.pk}/", {"expand": path})
            if answer.status_code != 200:
                continue
            shown = answer.json().get(name)
            inside = shown if isinstance(shown, list) else [shown]
            hidden = [one for one in inside if isinstance(one, dict)]
            known = [model._base_manager.get(pk=one["id"]) for one in hidden]
            if any(not may_view(actor, one) for one in known):
                raise AssertionError(
                    f"{subject}: expand={path} shows a row that the actor may not see."
                )
