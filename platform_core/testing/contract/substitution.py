"""Ids of another owner in path, query and body: each is answered as an id that nobody has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from rest_framework.relations import PrimaryKeyRelatedField

from platform_core.access import Actor, installed_permissions
from platform_core.resource.filters import Filter, build_filters
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.contract.bodies import new_body, serializer_for
from platform_core.testing.contract.subjects import (
    Action,
    ResourceSubject,
    all_permissions,
    stage,
    undone,
)
from platform_core.testing.factories import RowNotMade, make


def check_foreign_ids(subject: ResourceSubject) -> None:
    """Assert that the id of a row that the actor may not see opens no more and tells no more than one of no row.

    In the path of each action, in each filter by a reference, and in each reference of a body.
    """
    with stage() as grants:
        _check_paths(subject, grants)
        for one in _reference_filters(subject):
            _check_filter(subject, one, grants)
        for name, model in _references(subject):
            _check_body(subject, name, model, grants)


def may_view(actor: Actor, row: Any) -> bool:
    """Tell whether ``actor`` may see ``row`` by the view permission of its model."""
    known = installed_permissions().get(f"{row._meta.app_label}.view_{row._meta.model_name}")
    fresh = Actor(actor.id, actor.kind)
    return known is not None and known.rule.test(fresh, row, model=type(row))


def _check_paths(subject: ResourceSubject, grants: GrantsDouble) -> None:
    mine, theirs = make(subject.model), make(subject.model)
    actor = new_user()
    grants.give(actor, *all_permissions(), objects=[mine])
    if may_view(actor, theirs):
        return
    for action in subject.actions():
        if not action.is_of_collection:
            found = _answer(subject, actor, action, theirs.pk, {})
            _require_alike(
                subject,
                f"{action.name} in the path",
                found,
                _answer(subject, actor, action, uuid.uuid4(), {}),
            )


def _reference_filters(subject: ResourceSubject) -> list[Filter]:
    if subject.action("list") is None:
        return []
    found = build_filters(subject.model, subject.resource.filterset_fields).values()
    return [one for one in found if one.model_field.is_relation and one.lookup in ("exact", "in")]


def _check_filter(subject: ResourceSubject, one: Filter, grants: GrantsDouble) -> None:
    row = row_with(subject, one.path[0])
    target = row
    for name in one.path:
        target = getattr(target, name, None)
    if target is None:
        return
    actor = actor_towards(subject, type(target), grants, row)
    if may_view(actor, target):
        return
    client = client_for(actor)
    found, wanted = (
        client.get(subject.url, {one.parameter: str(key)}) for key in (target.pk, uuid.uuid4())
    )
    _require_alike(subject, f"the filter {one.parameter}", told(found), told(wanted))


def row_with(subject: ResourceSubject, name: str) -> Any:
    """Return a row that has the reference ``name``, as far as one can be made."""
    row: Any = make(subject.model)
    if getattr(row, f"{name}_id") is None:
        related: Any = subject.model._meta.get_field(name).related_model
        try:
            return make(subject.model, **{name: make(related)})
        except RowNotMade:  # what may refer to what is the plugin's business
            return row
    return row


def _references(subject: ResourceSubject) -> Iterator[tuple[str, Any]]:
    for name, field in serializer_for(subject, new_user()).fields.items():
        declared = vars(field).get("queryset")
        if (
            isinstance(field, PrimaryKeyRelatedField)
            and not field.read_only
            and declared is not None
        ):
            yield name, declared.model


def _check_body(subject: ResourceSubject, name: str, model: Any, grants: GrantsDouble) -> None:
    mine, hidden = make(subject.model), make(model)
    actor = actor_towards(subject, model, grants, mine)
    if may_view(actor, hidden):
        return
    for action in map(subject.action, ("partial_update", "create")):
        if action is None:
            continue
        base = new_body(subject, actor) if action.name == "create" else {}
        found, wanted = (
            _answer(subject, actor, action, mine.pk, base | {name: str(key)})
            for key in (hidden.pk, uuid.uuid4())
        )
        if found[0] < 400:
            raise AssertionError(
                f"{subject}: {action.name} accepts a {name} that the actor may not see ({found[0]}); "
                "use ScopedRelatedField."
            )
        _require_alike(subject, f"{name} in {action.name}", found, wanted)


def actor_towards(subject: ResourceSubject, related: Any, grants: GrantsDouble, row: Any) -> Actor:
    """Return an actor with every right to the resource's rows and none to those of ``related``."""
    actor = new_user()
    for permission in installed_permissions():
        if permission.model == subject.model._meta.label and related is not subject.model:
            grants.give(actor, permission.name)
        elif permission.model == subject.model._meta.label:
            grants.give(actor, permission.name, objects=[row])
    return actor


def _answer(subject: ResourceSubject, actor: Actor, action: Action, key: Any, body: Any) -> Any:
    part = "" if action.is_of_collection else f"{key}/{action.suffix}"
    send = getattr(client_for(actor), action.method)
    with undone():
        return told(
            send(f"{subject.url}{part}") if action.reads else send(f"{subject.url}{part}", body)
        )


def told(response: Any) -> tuple[int, Any]:
    """Return what an answer says beside the number of the request."""
    content = response.json() if response.content else None
    if isinstance(content, dict):
        content = {
            name: value for name, value in content.items() if name not in ("request_id", "instance")
        }
    return response.status_code, content


def _require_alike(subject: ResourceSubject, where: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(
            f"{subject}: {where} answers {found} to the id of another's row, {wanted} to an id of no row."
        )
