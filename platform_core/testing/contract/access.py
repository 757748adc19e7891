"""Who may do what: every action of a resource towards every persona, and rows of others by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from rest_framework.relations import PrimaryKeyRelatedField

from platform_core.access import Actor, Rule, installed_permissions
from platform_core.contributions import PUBLIC
from platform_core.registry import installed
from platform_core.resource.operations import operations_of
from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.testing.contract.bodies import Body, new_body, serializer_for, writable
from platform_core.testing.contract.subjects import (
    Action,
    PluginSubject,
    ResourceSubject,
    all_permissions,
    persona,
    stage,
    undone,
)
from platform_core.testing.contract.substitution import may_view
from platform_core.testing.factories import make, make_in_unit


def check_access_table(subject: ResourceSubject, who: str) -> None:
    """Assert that each action answers the persona ``who`` as its rule says, and that a refusal changes nothing."""
    with stage() as grants:
        actor = persona(who, grants, subject)
        body = new_body(subject, actor) if _writes(subject) else {}
        _check_actions(subject, actor, make(subject.model), body, who)


def check_rows_of_others(subject: ResourceSubject) -> None:
    """Assert that a grant on one row opens that row only: in lists, and by the id of another."""
    with stage() as grants:
        mine, theirs = make(subject.model), make(subject.model)
        actor = new_user()
        grants.give(actor, *all_permissions(), objects=[mine])
        _check_two_rows(subject, actor, mine, theirs, "who holds a grant on one row")


def check_rows_of_other_units(subject: ResourceSubject) -> None:
    """Assert that a grant in one unit opens its rows only, also as targets of references."""
    if not getattr(subject.model, "unit_path", ""):
        return
    with stage() as grants:
        units = [make(apps.get_model(grants.unit_model)) for _ in range(2)]
        mine, theirs = (make_in_unit(subject.model, unit) for unit in units)
        actor = new_user()
        _give_in_unit(grants, actor, units[0])
        _check_two_rows(subject, actor, mine, theirs, "who holds grants in one unit")
        _check_references(subject, actor, mine, theirs, units[1])


def check_flags(subject: ResourceSubject) -> None:
    """Assert that what is behind a feature flag does not exist while the flag is off."""
    from waffle.testutils import override_flag

    with stage() as grants:
        actor = persona("holder", grants, subject)
        row = make(subject.model)
        for action, flag in _flagged(subject):
            with override_flag(flag, active=False), undone():
                status = subject.ask(actor, action, row, {}).status_code
            _require(subject, action, f"while {flag} is off", status, frozenset({404}))


def check_permissions_used(plugin: PluginSubject) -> None:
    """Assert that every permission is asked for: by a policy, a field, a route, an importer, or another permission."""
    registry = installed()
    used = {
        name for one in registry.contributions("resources") for name in one.policy.actions.values()
    }
    used |= {one.access for one in registry.contributions("routes") if one.access != PUBLIC}
    used |= {one.permission for one in registry.contributions("importers")}
    for resource in registry.contributions("resources"):
        for access in resource.field_rules.values():
            used |= asked_by(access.view) | asked_by(access.change)
    for permission in installed_permissions():
        used |= asked_by(permission.rule) - {permission.name}
    idle = [
        one.name for one in registry.of_plugin(plugin.slug, "permissions") if one.name not in used
    ]
    if idle:
        raise AssertionError(f"Nothing asks for {', '.join(idle)}: name them in a policy.")


def asked_by(rule: Rule) -> set[str]:
    """Return the permissions that ``rule`` asks for."""
    names = (getattr(leaf, "permission", None) for leaf in rule.leaves())
    return {name for name in names if name is not None}


def _check_actions(subject: ResourceSubject, actor: Actor, row: Any, body: Body, who: str) -> None:
    for action in subject.actions():
        expected = subject.expected(actor, action, row)
        with undone():
            if action.name == "restore":
                row.delete()
            before = _state(row)
            given = body if action.name in ("create", "update") else {}
            response = subject.ask(actor, action, row, given)
            _require(subject, action, f"to {who}", response.status_code, expected)
            if response.status_code in (401, 403, 404) and _state(row) != before:
                raise AssertionError(f"{subject} refused {action.name} to {who}, yet wrote.")
        row.refresh_from_db()


def _state(row: Any) -> tuple[Any, int]:
    rows = type(row)._base_manager.all()
    return rows.filter(pk=row.pk).values().first(), rows.count()


def _check_two_rows(
    subject: ResourceSubject, actor: Actor, mine: Any, theirs: Any, who: str
) -> None:
    rule = subject.rule(subject.resource.policy.permission("view"))
    if not rule.test(Actor(actor.id, actor.kind), mine, model=subject.model):
        raise AssertionError(
            f"{subject}: {who} may not view the row made for it, so nothing can be judged. "
            f"Register better factories for {subject.model._meta.label} and its unit."
        )
    body = writable(subject, actor, mine)
    for row in (mine, theirs):
        _check_actions(subject, actor, row, body, who)
    if subject.action("list") is None:
        return
    rows = subject.resource(slug=subject.slug).get_queryset()
    fresh = Actor(actor.id, actor.kind)
    expected = {str(row.pk) for row in rows if rule.test(fresh, row, model=subject.model)}
    listed = {one["id"] for one in client_for(actor).get(f"{subject.url}?limit=200").json()["data"]}
    if listed != expected:
        raise AssertionError(
            f"{subject}: the list of {who} shows {sorted(listed - expected)} that the rule does not "
            f"allow, and lacks {sorted(expected - listed)}."
        )


def _give_in_unit(grants: GrantsDouble, actor: Actor, unit: Any) -> None:
    """Grant everything within ``unit``, and everywhere what is about models that belong to no unit."""
    for permission in installed_permissions():
        model = apps.get_model(permission.model) if permission.model else None
        if getattr(model, "unit_path", ""):
            grants.give(actor, permission.name, units=[unit])
        else:
            grants.give(actor, permission.name)


def _check_references(
    subject: ResourceSubject, actor: Actor, mine: Any, theirs: Any, other_unit: Any
) -> None:
    body = writable(subject, actor, mine)
    for name, field in serializer_for(subject, actor).fields.items():
        model = getattr(getattr(field, "queryset", None), "model", None)
        if not isinstance(field, PrimaryKeyRelatedField) or not getattr(model, "unit_path", ""):
            continue
        target = theirs if model is subject.model else _row_in(model, other_unit)
        if may_view(actor, target):
            continue
        given = {name: str(target.pk)}
        for action in map(subject.action, ("partial_update", "create")):
            if action is None:
                continue
            with undone():
                sent = given if action.name == "partial_update" else body | given
                status = subject.ask(actor, action, mine, sent).status_code
            if status < 400:
                raise AssertionError(
                    f"{subject}: {action.name} accepts a {name} of another unit ({status}); "
                    "use ScopedRelatedField, and decide on the row as it will be."
                )


def _row_in(model: Any, unit: Any) -> Any:
    if model.unit_path == "self":
        return unit
    found = model._base_manager.filter(**{model.unit_path: unit}).first()
    return found or make_in_unit(model, unit)


def _flagged(subject: ResourceSubject) -> Iterable[tuple[Action, str]]:
    flags = {verb: one.flag for verb, one in operations_of(subject.resource).items()}
    for action in subject.actions():
        flag = subject.resource.flag or flags.get(action.name)
        if flag:
            yield action, flag


def _writes(subject: ResourceSubject) -> bool:
    return any(subject.action(name) for name in ("create", "update"))


def _require(
    subject: ResourceSubject, action: Action, to: str, status: int, expected: frozenset[int]
) -> None:
    if status not in expected:
        wanted = " or ".join(map(str, sorted(expected)))
        raise AssertionError(f"{subject}: {action.name} answers {status} {to}, not {wanted}.")
