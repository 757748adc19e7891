"""The rows of a resource one by one: what the actor may see of each, and how it is answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connections
from django.http import Http404, HttpResponse

from platform_core.access import scope
from platform_core.prepared import fetch_prepared
from platform_core.resource import declared
from platform_core.resource.conditional import is_unchanged, tag_of
from platform_core.resource.expansion import expand
from platform_core.resource.field_access import accessible_fields, judged
from platform_core.resource.reading import fetch
from platform_core.resource.rendering import JSON, dumps
from platform_core.resource.shape import WHOLE, Shape
from platform_core.resource.statements import prepared_statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from platform_core.access import Actor, Policy
    from platform_core.resource.field_access import AccessibleFields
    from platform_core.resource.representation import Plan


class Shown(dict[str, Any]):
    """One row in JSON that knows the version of the row, whether it is shown or not."""

    version: int | None = None


class RowReads:
    """What ``Resource`` knows of the rows that an actor may view, and of each alone."""

    actor: Actor
    policy: ClassVar[Policy]
    model: ClassVar[Any]
    serializer_class: Any
    kwargs: Any
    request: Request
    get_serializer: Callable[..., Any]

    # Hooks for plugins

    def get_queryset(self) -> QuerySet[Any]:
        """Return the live rows, before the actor's scope."""
        found: QuerySet[Any] = self.model._default_manager.all()
        return found

    def visible(self) -> QuerySet[Any]:
        """Return the live rows that the actor may view."""
        return self.policy.scope(self.actor, self.get_queryset())

    def represent(self, instances: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return the JSON objects of ``instances`` by the serializer: the road for computed fields."""
        serializer = self.get_serializer()
        return [serializer.to_representation(one) for one in instances]

    # Fields

    @cached_property
    def accessible(self) -> AccessibleFields:
        """Return which fields the actor may read and write."""
        return accessible_fields(type(self), self.actor)  # type: ignore[arg-type]  # composed into Resource

    @property
    def plan(self) -> Plan | None:
        """Return the columns that the actor may read, or ``None`` when the serializer computes something."""
        return declared.readable_plan(type(self), self.accessible)  # type: ignore[arg-type]  # composed into Resource

    def judged(self, queryset: QuerySet[Any], plan: Plan | None) -> QuerySet[Any]:
        """Return ``queryset`` with what decides for each row which fields of ``plan``, else of all, are readable."""
        conditions = self.accessible.conditions if plan is None else plan.conditions
        return judged(queryset, self.actor, conditions)

    def represented(self, instances: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return what ``represent`` makes of judged ``instances``, without what the actor may not read."""
        return self.accessible.of(self.represent(instances), instances)

    def readable_here(self) -> Collection[str]:
        """Return the fields that the actor may read of the route's row; raises ``Http404`` when they may not view it."""
        rows = self.judged(self.visible().filter(pk=self.kwargs["id"]).order_by(), None)
        outcomes = [one.alias for one in self.accessible.conditions]
        found = rows.values_list("pk", *outcomes)[:1]
        if not found:
            raise Http404
        failed = (
            one.names
            for one, outcome in zip(self.accessible.conditions, found[0][1:], strict=True)
            if outcome is not True
        )
        return set(self.accessible.readable).difference(*failed)

    # Single rows

    def shown(self, queryset: QuerySet[Any]) -> Mapping[str, Any]:
        """Return the JSON object of the route's row in ``queryset``.

        Raises ``Http404`` when it is not there.
        """
        found = self.row(queryset, self.kwargs["id"])
        if found is None:
            raise Http404
        return found

    def row(self, queryset: QuerySet[Any], pk: Any) -> Mapping[str, Any] | None:
        """Return the JSON object of the row ``pk`` in ``queryset``, or ``None`` when it is not there."""
        cls: Any = type(self)
        plan = self.plan
        queryset = self.judged(queryset.filter(pk=pk).order_by(), plan)
        if plan is None:
            instance = queryset.first()
            if instance is None:
                return None
            found = Shown(self.represented([instance])[0])
            found.version = getattr(instance, "version", None)
            return found
        names = plan.names_with(_version_column(self.model))
        return _first(cls, plan, fetch(queryset.values_list(*names)[:1]))

    def row_in_scope(
        self, permission: str, pk: Any, *, deleted_too: bool = False
    ) -> Mapping[str, Any] | None:
        """Return the JSON object of the row ``pk`` if the actor has ``permission`` on it, else ``None``."""
        cls: Any = type(self)
        plan = self.plan
        rows = declared.rows_of(cls, deleted_too)
        if plan is None or cls.row is not RowReads.row:
            return self.row(scope(self.actor, permission, rows), pk)
        names = plan.names_with(_version_column(self.model))
        conditions = plan.conditions
        key: Any = self.model._meta.pk

        def build(actor: Actor) -> QuerySet[Any]:
            found = scope(actor, permission, rows).filter(pk=pk)
            return judged(found, actor, conditions).values_list(*names)

        statement = prepared_statement(
            self.actor,
            permission,
            (cls, deleted_too, self.accessible.reading if cls.field_rules else None),
            build,
            [key.get_db_prep_value(pk, connections[rows.db])],
            plan.rules,
        )
        if statement is None:
            return self.row(scope(self.actor, permission, rows), pk)
        return _first(cls, plan, fetch_prepared(*statement, using=rows.db))

    def rows_with(self, ids: Collection[str]) -> Sequence[Mapping[str, Any]]:
        """Return the JSON objects of those rows with ``ids`` that the actor may view, in no order."""
        plan = self.plan
        queryset = self.judged(self.visible().filter(pk__in=ids).order_by(), plan)
        if plan is None:
            return self.represented(list(queryset))
        return plan.rows(fetch(queryset.values_list(*plan.names_with(()))))

    def answer_row(
        self, found: Mapping[str, Any], shape: Shape = WHOLE, *, status: int = 200
    ) -> HttpResponse:
        """Answer one row with the ``ETag`` of its state."""
        shown: Mapping[str, Any] = shape.rows([found])[0]
        if shape.expand:
            shown = dict(shown)
            expand(self, [shown], shape.expand)  # type: ignore[arg-type]  # composed into Resource
        body = dumps(shown)
        version = getattr(found, "version", None)
        if version is None:
            return HttpResponse(body, content_type=JSON, status=status)
        tag = tag_of(version, body)
        is_read = self.request.method in ("GET", "HEAD")
        if is_read and is_unchanged(self.request._request, tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return HttpResponse(body, content_type=JSON, status=status, headers={"ETag": tag})

    def respond(self, data: Any, status: int = 200) -> HttpResponse:
        """Answer ``data`` as JSON."""
        return HttpResponse(dumps(data), content_type=JSON, status=status)


def _version_column(model: Any) -> tuple[str, ...]:
    return ("version",) if declared.has_version(model) else ()


def _first(cls: Any, plan: Any, loaded: Sequence[Sequence[Any]]) -> Shown | None:
    if not loaded:
        return None
    found = Shown(plan.rows(loaded[:1])[0])
    if declared.has_version(cls.model):
        found.version = loaded[0][plan.names_with(("version",)).index("version")]
    return found
