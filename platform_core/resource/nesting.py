"""Lists and creations below a parent: ``schools/<id>/course-offerings/`` is what ``course-offerings/`` has of one school."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ErrorDetail, ValidationError

from platform_core.resource import declared, field_access
from platform_core.resource.flags import require_flag
from platform_core.resource.operations import operations_of

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from platform_core.resource.base import Resource

_OWN_PARTS = frozenset({"restore", "history"})


@dataclass(frozen=True, slots=True)
class Parent:
    """The resource of the parent rows, and the field of the child that refers to them."""

    resource: type[Resource]
    field: str

    @property
    def parameter(self) -> str:
        """Return the name of the parent's id in the address."""
        return f"{self.field}_id"

    def enter(self, view: Resource) -> UUID | int:
        """Return the id of the parent row of the request; raises ``Http404`` unless the actor may view that row."""
        require_flag(view.request, self.resource.flag)
        key: UUID | int = view.kwargs[self.parameter]
        rows = self.resource.acting_for(view, view.slug).visible()
        if not rows.filter(pk=key).exists():
            raise Http404
        return key

    def narrow(self, view: Resource, rows: QuerySet[Any], key: UUID | int) -> QuerySet[Any]:
        """Return those of ``rows`` that refer to the parent, as a filter would: an unreadable field leaves none."""
        found = declared.filters_of(type(view))[self.field]
        rules = field_access.view_rules_of(type(view))
        return rows.filter(found.condition(view.actor, view.model, rules, [key]))

    def bind(self, body: Any, key: UUID | int) -> Any:
        """Return ``body`` with the reference to the parent; raises ``ValidationError`` when it names another one."""
        if not isinstance(body, dict):
            return body
        given = body.get(self.field, str(key))
        if str(given).lower() != str(key):
            text = _("The address names another one; leave this out, or send the same.")
            raise ValidationError({self.field: [ErrorDetail(str(text), code="other_parent")]})
        return {**body, self.field: str(key)}


def parents_of(
    resource: type[Resource], siblings: Mapping[str, type[Resource]], own_name: str
) -> Sequence[tuple[str, Parent]]:
    """Return the parents of ``resource`` by the word in the address, among the plugin's own resources.

    Raises ``TypeError`` for a parent that cannot be one.
    """
    label = f"{resource.__module__}.{resource.__qualname__}.parents"
    found = []
    for word, field in resource.parents.items():
        parent = siblings.get(word)
        if parent is None:
            raise TypeError(f"{label} names {word!r}, which no resource of the plugin is called")
        relation: Any = {one.name: one for one in resource.model._meta.concrete_fields}.get(field)
        if relation is None or relation.related_model is not getattr(parent, "model", None):
            raise TypeError(f"{label}: {field!r} is no reference to a row of {word!r}")
        if field not in declared.filters_of(resource):
            raise TypeError(f"{label}: {field!r} is not in filterset_fields with 'exact'")
        shown = resource.serializer_class().fields.get(field)
        if "create" in resource.actions and (shown is None or shown.read_only):
            raise TypeError(f"{label}: {field!r} cannot be set through the serializer")
        taken = _OWN_PARTS | {one.path for one in operations_of(parent).values()}
        if own_name in taken:
            raise TypeError(f"{label}: {word!r} has something called {own_name!r} itself")
        found.append((word, Parent(parent, field)))
    return found
