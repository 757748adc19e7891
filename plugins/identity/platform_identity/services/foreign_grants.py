"""Keep exported grants to what belongs to their plugin: an archive's seal shows damage, not who made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from platform_core.errors import Invalid
from platform_identity.models import Role, RoleAssignment, RoleInheritance

Exported = Mapping[str, Sequence[Any]]

_MODELS = {"roles": Role, "inheritances": RoleInheritance, "assignments": RoleAssignment}


def belongs(name: str, slug: str) -> bool:
    """Tell whether a role, permission or model of this name is the plugin's."""
    return name.startswith(f"{slug}.")


def refuse_foreign_grants(slug: str, exported: Exported) -> None:
    """Raise Invalid when ``exported`` holds what ``export_grants(slug)`` cannot have returned.

    Only rows of the three tables come back: roles that the plugin ships, and what is given through them. Of other
    roles it may hold the plugin's permissions only, and assignments for objects of the plugin's models.
    """
    try:
        fault = _fault(slug, exported)
    except (AttributeError, KeyError, TypeError) as error:
        raise _foreign("its grants have another form") from error
    if fault:
        raise _foreign(fault)


def _fault(slug: str, exported: Exported) -> str:
    for kind, model in _MODELS.items():
        if any(row["model"] != model._meta.label_lower for row in exported[kind]):
            return f"its {kind} are rows of another table"
    own = {row["pk"] for row in exported["roles"]}
    for row in exported["roles"]:
        if not _is_shipped(slug, row["fields"]):
            return f"the role {row['fields']['name']} belongs to another plugin"
    for one in exported["permissions"]:
        if not all(belongs(name, slug) for name in one["names"]):
            return "it gives permissions of another plugin to a role"
    for row in exported["inheritances"]:
        if own.isdisjoint({row["fields"]["role"], row["fields"]["parent"]}):
            return "it lets roles of others inherit"
    if Role.all_objects.filter(holds_all=True, pk__in=_parents(exported)).exists():
        return "it lets a role inherit from the one that holds everything"
    for row in exported["assignments"]:
        if row["fields"]["role"] not in own and not _is_for_object_of(slug, row["fields"]):
            return "it assigns a role of another plugin"
    return ""


def _is_shipped(slug: str, role: Mapping[str, Any]) -> bool:
    mine = belongs(role["name"], slug) and role["provided_by"] == slug
    return mine and not role["holds_all"]


def _is_for_object_of(slug: str, assignment: Mapping[str, Any]) -> bool:
    of_object: bool = assignment["scope"] == RoleAssignment.Scope.OBJECT
    return of_object and belongs(assignment["object_model"], slug)


def _parents(exported: Exported) -> list[Any]:
    return [row["fields"]["parent"] for row in exported["inheritances"]]


def _foreign(what: str) -> Invalid:
    return Invalid(
        f"The archive was not made by uninstalling this plugin: {what}.", code="foreign_grants"
    )
