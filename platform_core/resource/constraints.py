"""What PostgreSQL's constraint errors mean to a client: the check is the database's, so that races cannot pass it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import F, ProtectedError, RestrictedError, UniqueConstraint
from django.utils.translation import gettext_lazy as _

from platform_core.models import DeletionBlocked, Referrer, referrers_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db import DatabaseError
    from django.db.models import Model
    from django_stubs_ext import StrOrPromise

UNIQUE = "23505"
EXCLUSION = "23P01"
FOREIGN_KEY = "23503"
RESTRICT = "23001"
NOT_NULL = "23502"
CHECK = "23514"
_DATA = "22"


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a constraint's refusal is answered; ``fields`` are the inputs at fault."""

    status: int
    code: str
    detail: StrOrPromise
    fields: tuple[str, ...] = ()
    referrers: tuple[Referrer, ...] = ()

    def errors(self, not_named: Collection[str] = ()) -> list[dict[str, Any]]:
        """Return the entries of the problem's ``errors``, one per field but those that are ``not_named``."""
        return [
            {"pointer": f"/{name}", "code": self.code, "detail": str(self.detail)}
            for name in self.fields
            if name not in not_named
        ]


def refusal_of(error: DatabaseError) -> Refusal | None:
    """Return the refusal that ``error`` means, or ``None`` when it is a fault of ours."""
    if isinstance(error, (ProtectedError, RestrictedError)):
        return _in_use(error)
    cause: Any = error.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    diagnosis = getattr(cause, "diag", None)
    if diagnosis is None:
        return None
    fields = _fields_at_fault(diagnosis)
    if state == UNIQUE:
        return Refusal(409, "not_unique", _("Another one with this value exists."), fields)
    if state == EXCLUSION:
        return Refusal(409, "overlaps", _("It overlaps another one."), fields)
    if state in (FOREIGN_KEY, RESTRICT):
        if "still referenced" in (diagnosis.message_detail or "") or state == RESTRICT:
            return _in_use(error)
        return Refusal(422, "does_not_exist", _("There is no such thing."), fields)
    if state == NOT_NULL:
        return Refusal(422, "required", _("This field is required."), fields)
    if state == CHECK:
        return Refusal(422, "constraint", _check_message(diagnosis), fields)
    if state.startswith(_DATA):
        return Refusal(422, "invalid", _("A value is out of range."), fields)
    return None


def _in_use(error: DatabaseError) -> Refusal:
    found = referrers_of(error)
    if not found:
        return Refusal(409, "in_use", _("Other things still refer to it."))
    return Refusal(409, "in_use", DeletionBlocked(found).message, referrers=found)


def _fields_at_fault(diagnosis: Any) -> tuple[str, ...]:
    model = _models_by_table().get(diagnosis.table_name or "")
    if model is None:
        return ()
    if diagnosis.column_name:
        return _names(model, [diagnosis.column_name])
    constraint = _constraint(model, diagnosis.constraint_name)
    if constraint is not None:
        return _fields_of(constraint)
    return _implicit_fields(model, diagnosis.constraint_name or "")


def _check_message(diagnosis: Any) -> StrOrPromise:
    model = _models_by_table().get(diagnosis.table_name or "")
    constraint = None if model is None else _constraint(model, diagnosis.constraint_name)
    if constraint is not None and (
        constraint.violation_error_message != constraint.default_violation_error_message
    ):
        message: StrOrPromise = constraint.get_violation_error_message()
        return message
    return _("The values contradict each other.")


def _constraint(model: type[Model], name: str | None) -> Any:
    return next((one for one in model._meta.constraints if one.name == name), None)


def _fields_of(constraint: Any) -> tuple[str, ...]:
    if isinstance(constraint, UniqueConstraint):
        if constraint.fields:
            return tuple(constraint.fields)
        return tuple(_leaves(constraint.expressions))
    condition = getattr(constraint, "condition", None)
    if hasattr(constraint, "expressions"):  # an exclusion constraint
        return tuple(_leaves([pair[0] for pair in constraint.expressions]))
    return tuple(dict.fromkeys(_leaves([condition])))


def _leaves(nodes: Any) -> list[str]:
    """Return the field names that expressions and conditions speak of."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, F):
            found.append(str(getattr(node, "name", "")).partition("__")[0])
        elif isinstance(node, tuple) and node and isinstance(node[0], str):
            found.append(node[0].partition("__")[0])
            found.extend(_leaves(node[1:]))
        elif hasattr(node, "children"):
            found.extend(_leaves(node.children))
        elif hasattr(node, "get_source_expressions"):
            found.extend(_leaves(node.get_source_expressions()))
    return found


def _implicit_fields(model: type[Model], name: str) -> tuple[str, ...]:
    """Find the field of a constraint that Django named: ``<table>_<column>_<hash>_fk_…``, ``…_key`` and the like."""
    rest = name.removeprefix(f"{model._meta.db_table}_")
    columns = [
        str(field.column)
        for field in model._meta.concrete_fields
        if rest.startswith(f"{field.column}_") or rest == field.column
    ]
    return _names(model, [max(columns, key=len)]) if columns else ()


def _names(model: type[Model], columns: list[str]) -> tuple[str, ...]:
    by_column = {field.column: field.name for field in model._meta.concrete_fields}
    return tuple(by_column[column] for column in columns if column in by_column)


@cache
def _models_by_table() -> dict[str, type[Model]]:
    return {model._meta.db_table: model for model in apps.get_models()}
