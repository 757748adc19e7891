"""Fields with rules: who may not read one never meets it, by any road; what is written by who may not changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import orjson

from platform_core.access import Actor, Always, Rule
from platform_core.registry import installed
from platform_core.resource import declared
from platform_core.resource.expansion import references_of
from platform_core.resource.field_access import column_name
from platform_core.resource.filters import ORDERING, SEARCH
from platform_core.resource.rendering import dumps
from platform_core.resource.shape import EXPAND, FIELDS
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.contract.access import asked_by
from platform_core.testing.contract.bodies import Body, new_body, writable
from platform_core.testing.contract.columns import another_value
from platform_core.testing.contract.subjects import (
    ResourceSubject,
    all_permissions,
    stage,
    undone,
)
from platform_core.testing.factories import make
from platform_core.testing.values import NoValue

Found = Iterator[tuple[str, Any]]


def check_field_rules(subject: ResourceSubject) -> None:
    """Assert for each field with rules that it is closed to who may not read it, and fixed for who may not set it."""
    for name, access in subject.resource.field_rules.items():
        with stage() as grants:
            row = make(subject.model)
            before, value = _mark(subject, row, name)
            if type(access.view) is not Always:
                actor = _without(subject, grants, access.view, row, name)
                _check_answers(subject, actor, row, name)
                _check_parameters(subject, actor, row, name, value)
                _check_replay(subject, grants, access.view, row, name)
            if type(access.change) is not Always:
                actor = _without(subject, grants, access.change, row, name)
                _check_writes(subject, actor, row, name, before)


def _column(subject: ResourceSubject, name: str) -> Any:
    fields = subject.resource.serializer_class().fields
    source = fields[name].source if name in fields else name
    columns = {one.name: one for one in subject.model._meta.concrete_fields}
    return columns.get(column_name(subject.model, str(source)))


def _mark(subject: ResourceSubject, row: Any, name: str) -> tuple[Any, Any]:
    """Give the field another value, in a change that history keeps; return the value before and the one now."""
    column = _column(subject, name)
    if column is None:
        return None, None
    before = getattr(row, column.attname)
    with suppress(NoValue):
        setattr(row, column.attname, another_value(column, before))
        row.save()
    return before, getattr(row, column.attname)


def _without(
    subject: ResourceSubject, grants: GrantsDouble, rule: Rule, row: Any, name: str
) -> Actor:
    """Return an actor who holds everything but what ``rule`` asks for; they have to see the row all the same."""
    actor = new_user()
    grants.give(actor, *(set(all_permissions()) - asked_by(rule)))
    fresh = Actor(actor.id, actor.kind)
    view = subject.rule(subject.resource.policy.permission("view"))
    if not view.test(fresh, row, model=subject.model) or rule.test(fresh, row, model=subject.model):
        raise AssertionError(
            f"{subject}: nobody who sees the row is kept from {name} by {rule}, so it adds nothing. "
            "Ask for a permission of its own, or leave the rule out."
        )
    return actor


# Answers


def _check_answers(subject: ResourceSubject, actor: Actor, row: Any, name: str) -> None:
    for road, shown in (*_read(subject, actor, row), *_written(subject, actor, row)):
        _require_absent(subject, road, shown, name)


def _require_absent(subject: ResourceSubject, road: str, shown: Any, name: str) -> None:
    if isinstance(shown, dict) and name in shown:
        raise AssertionError(f"{subject}: {road} shows {name} to who may not read it.")


def _read(subject: ResourceSubject, actor: Actor, row: Any) -> Found:
    client, one = client_for(actor), f"{subject.url}{row.pk}/"
    if subject.action("list"):
        for shown in client.get(f"{subject.url}?limit=200").json()["data"]:
            yield "list", shown
    if subject.action("retrieve"):
        yield "retrieve", client.get(one).json()
    if subject.action("history"):
        for entry in client.get(f"{one}history/").json()["data"]:
            yield "history", entry["snapshot"]
        versions = (1, row.version)
        changes = client.get(f"{one}history/diff/?from={versions[0]}&to={versions[1]}").json()
        for change in changes.get("changes", ()):
            yield "diff", {change["field"]: None}


def _written(subject: ResourceSubject, actor: Actor, row: Any) -> Found:
    own = writable(subject, actor, row)
    for action in subject.actions():
        if action.reads or action.name == "destroy":
            continue
        body: Body = {}
        if action.name == "create":
            body = new_body(subject, actor)
        if action.name == "update":
            body = own
        with undone():
            if action.name == "restore":
                row.delete()
            response = subject.ask(actor, action, row, body)
            if response.status_code in (200, 201):
                yield action.name, response.json()
        row.refresh_from_db()
    if subject.action("partial_update"):
        with undone():
            item = {"id": str(row.pk), "if_match": f'"{row.version}"'}
            response = client_for(actor).post(f"{subject.url}bulk/update/", {"items": [item]})
            for result in response.json().get("results", ()):
                yield "bulk/update", result.get("data")


def _check_replay(
    subject: ResourceSubject, grants: GrantsDouble, rule: Rule, row: Any, name: str
) -> None:
    """Assert that a repeated call, after the right is gone, does not show what the first one did."""
    if subject.action("partial_update") is None:
        return
    actor = new_user()
    grants.give(actor, *all_permissions())
    headers = {"Idempotency-Key": "contract", "If-Match": f'"{row.version}"'}
    with undone():
        for _ in range(2):
            response = client_for(actor).patch(f"{subject.url}{row.pk}/", {}, headers=headers)
            grants.take(actor, *asked_by(rule))
        if response.status_code == 200:
            _require_absent(subject, "a repeated call", response.json(), name)


# Questions


def _check_parameters(
    subject: ResourceSubject, actor: Actor, row: Any, name: str, value: Any
) -> None:
    if subject.action("list") is None:
        return
    fresh = Actor(actor.id, actor.kind)
    rule = subject.resource.field_rules[name].view
    closed = rule.settled(fresh, subject.model) is False
    client = client_for(actor)
    for parameter, text in _naming(subject, name, value):
        response = client.get(subject.url, {parameter: text})
        if closed or parameter == ORDERING:
            _require_refused(subject, parameter, response)
        elif parameter not in (FIELDS, EXPAND) and _finds(response, row):
            raise AssertionError(f"{subject}: {parameter} finds a row by its unreadable {name}.")
    if closed:
        for url, parameter, text in _from_elsewhere(subject, name, value):
            _require_refused(subject, parameter, client.get(url, {parameter: text}))
    _check_search(subject, actor, row, name, value)


def _require_refused(subject: ResourceSubject, parameter: str, response: Any) -> None:
    if response.status_code not in (403, 422):
        raise AssertionError(
            f"{subject}: {parameter} answers {response.status_code} to who may not read the field, "
            "not 422 as to a word that does not exist."
        )


def _naming(subject: ResourceSubject, name: str, value: Any) -> Found:
    resource, column = subject.resource, _column(subject, name)
    serializer = resource.serializer_class()
    if name in serializer.fields:
        yield FIELDS, name
    if name in references_of(serializer):
        yield EXPAND, name
    if column is None:
        return
    if column.name in declared.ordering_names(resource):
        yield ORDERING, column.name
        yield ORDERING, f"-{column.name}"
    for parameter, one in declared.filters_of(resource).items():
        if column_name(subject.model, one.path[0]) == column.name:
            yield parameter, _text(one.lookup, value)


def _from_elsewhere(
    subject: ResourceSubject, name: str, value: Any
) -> Iterator[tuple[str, str, str]]:
    """Yield the filters of other resources that lead to the field: where, which, and what to ask."""
    column = _column(subject, name)
    for plugin in installed().plugins:
        for resource in installed().of_plugin(plugin.slug, "resources") if plugin.enabled else ():
            url = ResourceSubject(plugin.slug, resource).url
            for parameter, one in declared.filters_of(resource).items():
                steps = list(one.steps(resource.model))[1:]
                if column is not None and (subject.model, column.name) in steps:
                    yield url, parameter, _text(one.lookup, value)


def _text(lookup: str, value: Any) -> str:
    return "true" if lookup == "isnull" or value is True else str(value)


def _check_search(subject: ResourceSubject, actor: Actor, row: Any, name: str, value: Any) -> None:
    column = _column(subject, name)
    others = [one for one in subject.resource.search_fields if column and one != column.name]
    if column is None or column.name not in subject.resource.search_fields:
        return
    text = str(value)
    if not text or any(text in str(getattr(row, one)) for one in others):
        return
    response = client_for(actor).get(subject.url, {SEARCH: text})
    if _finds(response, row):
        raise AssertionError(f"{subject}: a search finds a row by its unreadable {name}.")


def _finds(response: Any, row: Any) -> bool:
    if response.status_code != 200:
        return False
    return str(row.pk) in {one.get("id") for one in response.json()["data"]}


# Writes


def _check_writes(subject: ResourceSubject, actor: Actor, row: Any, name: str, value: Any) -> None:
    column = _column(subject, name)
    fields = subject.resource.serializer_class().fields
    if column is None or name not in fields or fields[name].read_only:
        return
    if value == getattr(row, column.attname):
        return
    sent: Mapping[str, Any] = orjson.loads(dumps({name: value}))
    own = {key: one for key, one in writable(subject, actor, row).items() if key != name}
    bodies = {"partial_update": sent, "update": {**own, **sent}}
    for action in subject.actions():
        if action.name == "create":
            bodies["create"] = {**new_body(subject, actor), **sent}
        if action.name in bodies:
            with undone():
                response = subject.ask(actor, action, row, bodies[action.name])
                _require_fixed(subject, action.name, response, row, column)
    if subject.action("update"):
        with undone():
            subject.ask(actor, subject.action("update"), row, own)  # type: ignore[arg-type]  # it is there
            _require_kept(subject, "update without it", row, column)
    if subject.action("partial_update"):
        item = {"id": str(row.pk), "if_match": f'"{row.version}"', **sent}
        with undone():
            client_for(actor).post(f"{subject.url}bulk/update/", {"items": [item]})
            _require_kept(subject, "bulk/update", row, column)


def _require_fixed(
    subject: ResourceSubject, road: str, response: Any, row: Any, column: Any
) -> None:
    if response.status_code < 400:
        raise AssertionError(
            f"{subject}: {road} takes {column.name} from who may not set it ({response.status_code})."
        )
    _require_kept(subject, road, row, column)


def _require_kept(subject: ResourceSubject, road: str, row: Any, column: Any) -> None:
    rows = subject.model._base_manager.filter(pk=row.pk)
    if rows.values_list(column.attname, flat=True).get() != getattr(row, column.attname):
        raise AssertionError(f"{subject}: {road} changes {column.name} for who may not set it.")
