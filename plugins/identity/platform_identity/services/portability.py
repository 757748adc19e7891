"""The grants of a plugin that leaves for good, or comes back from its archive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.serializers.base import DeserializationError
from django.db.models import Model, Q, QuerySet

from platform_core.access import MissingReference
from platform_core.errors import Invalid
from platform_core.models import record_history
from platform_core.observability import security_event
from platform_identity.models import OrgUnit, Role, RoleAssignment, RoleInheritance, User
from platform_identity.services.foreign_grants import belongs, refuse_foreign_grants
from platform_identity.services.roles import lock_roles, recompute_effective_permissions

Exported = Mapping[str, Sequence[Any]]

EXAMPLES = 5


def export_grants(slug: str) -> dict[str, list[Any]]:
    """Return the roles that a plugin ships, who inherits from them, what is assigned, and its permissions elsewhere.

    Assignments are those of its roles, and those of any role for objects of its models; deleted ones too.
    """
    return {
        "roles": _rows(_roles(slug)),
        "inheritances": _rows(_inheritances(slug)),
        "assignments": _rows(_assignments(slug)),
        "permissions": [
            {
                "role": str(role.pk),
                "names": [name for name in role.permissions if belongs(name, slug)],
            }
            for role in _other_roles(slug)
        ],
    }


def remove_grants(slug: str) -> None:
    """Remove what ``export_grants`` returns, with history; call it in a transaction."""
    lock_roles()
    taken = _assignments(slug).count()
    _assignments(slug)._raw_delete("default")  # Django's plain DELETE, which the core records
    _inheritances(slug).delete()
    _roles(slug)._raw_delete("default")
    for role in list(_other_roles(slug).select_for_update(of=("self",))):
        role.permissions = [name for name in role.permissions if not belongs(name, slug)]
        role.save(update_fields=["permissions"])
    recompute_effective_permissions()
    security_event("identity.grants_removed", plugin=slug, assignments=taken)


def missing_grants(slug: str, exported: Exported) -> list[MissingReference]:
    """Return the users, units and roles that exported grants need and that are gone; Invalid for those of others."""
    refuse_foreign_grants(slug, exported)
    roles = {row["pk"] for row in exported["roles"]}
    wanted: list[tuple[str, type[Model], list[str]]] = [
        ("role_assignments.user", User, _values(exported["assignments"], "user")),
        ("role_assignments.unit", OrgUnit, _values(exported["assignments"], "unit")),
        ("role_assignments.role", Role, _without(_values(exported["assignments"], "role"), roles)),
        (
            "role_inheritances.role",
            Role,
            _without(_values(exported["inheritances"], "role"), roles),
        ),
        (
            "role_inheritances.parent",
            Role,
            _without(_values(exported["inheritances"], "parent"), roles),
        ),
        ("roles.permissions", Role, [one["role"] for one in exported["permissions"]]),
    ]
    found = []
    for place, model, keys in wanted:
        gone = _gone(model, keys)
        if gone:
            found.append(
                MissingReference(
                    place=place,
                    target=model._meta.label,
                    count=sum(key in gone for key in keys),
                    keys=tuple(sorted(gone)[:EXAMPLES]),
                )
            )
    return found


def import_grants(slug: str, exported: Exported) -> None:
    """Put exported grants back as they were, those whose user, unit or role is gone left out; call it in a transaction.

    Raises Invalid when a role of this name exists, or something in it does not belong to the plugin.
    """
    refuse_foreign_grants(slug, exported)
    lock_roles()
    names = [row["fields"]["name"] for row in exported["roles"]]
    if Role.objects.filter(name__in=names).exists():
        raise Invalid("A role of this name exists already.", code="role_taken")
    _insert(Role, exported["roles"])
    for one in exported["permissions"]:
        role = Role.all_objects.filter(pk=one["role"]).first()
        if role is not None:
            role.permissions = sorted({*role.permissions, *one["names"]})
            role.save(update_fields=["permissions"])
    _insert(RoleInheritance, _complete(exported["inheritances"], role=Role, parent=Role))
    given = _complete(exported["assignments"], user=User, unit=OrgUnit, role=Role)
    _insert(RoleAssignment, given)
    recompute_effective_permissions()
    security_event("identity.grants_restored", plugin=slug, assignments=len(given))


def _roles(slug: str) -> QuerySet[Role]:
    found: QuerySet[Role] = Role.all_objects.filter(provided_by=slug).order_by("pk")
    return found


def _inheritances(slug: str) -> QuerySet[RoleInheritance]:
    own = Q(role__provided_by=slug) | Q(parent__provided_by=slug)
    return RoleInheritance.objects.filter(own).order_by("pk")


def _assignments(slug: str) -> QuerySet[RoleAssignment]:
    own = Q(role__in=_roles(slug).order_by().values("pk")) | Q(object_model__startswith=f"{slug}.")
    found: QuerySet[RoleAssignment] = RoleAssignment.all_objects.filter(own).order_by("pk")
    return found


def _other_roles(slug: str) -> QuerySet[Role]:
    """Return the roles of others that hold permissions of the plugin."""
    holding = [
        pk
        for pk, names in Role.all_objects.exclude(provided_by=slug).values_list("pk", "permissions")
        if any(belongs(name, slug) for name in names)
    ]
    found: QuerySet[Role] = Role.all_objects.filter(pk__in=holding).order_by("pk")
    return found


def _rows(rows: QuerySet[Any]) -> list[Any]:
    """Return rows as plain JSON data, every column as it is stored."""
    found: list[Any] = json.loads(json.dumps(serializers.serialize("python", rows), default=str))
    for row in found:
        row["fields"].pop("inherits", None)  # the steps of inheritance are rows of their own
    return found


def _insert(model: type[Model], rows: Sequence[Any]) -> None:
    """Insert rows exactly as they were, version and times included, and record that they are there again."""
    try:
        for row in serializers.deserialize("python", rows):
            row.save(force_insert=True)
    except (DeserializationError, ValidationError) as error:
        message = "A row of the archive's grants cannot be read."
        raise Invalid(message, code="foreign_grants") from error
    if hasattr(model, "history"):
        keys = [model._meta.pk.to_python(row["pk"]) for row in rows]
        record_history(model, keys, "+", using="default", reason="restored from an archive")


def _values(rows: Iterable[Any], field: str) -> list[str]:
    return [row["fields"][field] for row in rows if row["fields"][field] is not None]


def _without(keys: Iterable[str], known: set[str]) -> list[str]:
    return [key for key in keys if key not in known]


def _gone(model: type[Model], keys: Iterable[str]) -> set[str]:
    wanted = set(keys)
    present = model._base_manager.filter(pk__in=wanted).values_list("pk", flat=True)
    return wanted - {str(key) for key in present}


def _complete(rows: Sequence[Any], **targets: type[Model]) -> list[Any]:
    """Return the rows whose references all lead somewhere."""
    gone = {field: _gone(model, _values(rows, field)) for field, model in targets.items()}
    return [
        row
        for row in rows
        if not any(row["fields"][field] in missing for field, missing in gone.items())
    ]
