"""The reads of a resource: pages, single rows and history, by SQL compiled before wherever that can be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connections
from django.http import Http404, HttpResponse

from platform_core.access import scope
from platform_core.prepared import fetch_prepared
from platform_core.resource import declared, filters
from platform_core.resource.conditional import is_unchanged, tag_of
from platform_core.resource.expansion import expand
from platform_core.resource.field_access import accessible_fields, judged, view_rules_of
from platform_core.resource.history import history_keyset, history_rows
from platform_core.resource.pages import Ends, answer_page, cut
from platform_core.resource.pagination import Keyset, Place, limit_of
from platform_core.resource.reading import fetch
from platform_core.resource.rendering import JSON, dumps
from platform_core.resource.shape import INCLUDE, SHAPE_PARAMETERS, WHOLE, Shape, wants_count
from platform_core.resource.statements import prepared_statement
from platform_core.resource.versions import (
    DIFF_PARAMETERS,
    differences,
    snapshot_at,
    versions_asked,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from platform_core.access import Actor, Policy
    from platform_core.resource.field_access import AccessibleFields
    from platform_core.resource.representation import Plan

MOST_COUNTED = 10_000
_PAGE_PARAMETERS = filters.LIST_PARAMETERS | SHAPE_PARAMETERS | {filters.ORDERING, INCLUDE}


class Shown(dict[str, Any]):
    """One row in JSON that knows the version of the row, whether it is shown or not."""

    version: int | None = None


class Reads:
    """What ``Resource`` answers without changing anything."""

    actor: Actor
    policy: ClassVar[Policy]
    model: ClassVar[Any]
    serializer_class: Any
    ordering: ClassVar[str]
    search_fields: ClassVar[Sequence[str]]
    kwargs: Any
    parent: Any
    parent_id: Any
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

    # Actions

    def list(self) -> HttpResponse:
        """Answer one page of the rows that the actor may view."""
        query = self.request.GET
        cls: Any = type(self)
        keyset = declared.keyset_of(cls, self.ordering)
        shape, count = WHOLE, False
        if query:
            filters.check_parameters(query, self.single_parameters(), self.filters())
            keyset = self.keyset_of(query.get(filters.ORDERING))
            shape, count = declared.shape_of(cls, query, self.accessible), wants_count(query)
        limit = limit_of(query.get("limit"))
        cursor = query.get("cursor")
        place = None if cursor is None else keyset.decode(cursor)
        narrowed = query.keys() - _PAGE_PARAMETERS
        parent: Any = self.parent
        if not narrowed and parent is None:
            loaded = self.prepared_rows(keyset, place, limit, shape)
            if loaded is not None:
                total = self.counted(self.visible()) if count else None
                return self.page(loaded, keyset, place, limit, shape, total)
        queryset = self.narrowed() if narrowed else self.visible()
        if parent is not None:
            queryset = parent.narrow(self, queryset, self.parent_id)
        total = self.counted(queryset) if count else None
        loaded = self.rows_in_order(queryset, keyset, place, limit, shape)
        return self.page(loaded, keyset, place, limit, shape, total)

    def retrieve(self) -> HttpResponse:
        """Answer one row that the actor may view; 304 when the client has it already."""
        query = self.request.GET
        cls: Any = type(self)
        shape = WHOLE
        if query:
            filters.check_parameters(query, SHAPE_PARAMETERS, {})
            shape = declared.shape_of(cls, query, self.accessible)
        found: Mapping[str, Any] | None
        if cls.shown is not Reads.shown or not declared.is_plain(cls):
            found = self.shown(self.visible())
        else:
            found = self.row_in_scope(self.policy.permission("view"), self.kwargs["id"])
        if found is None:
            raise Http404
        return self.answer_row(found, shape)

    def history(self) -> HttpResponse:
        """Answer what happened to one row that the actor may view, newest first."""
        query = self.request.GET
        filters.check_parameters(query, filters.LIST_PARAMETERS, {})
        readable = self.readable_here()
        keyset = history_keyset(self.model)
        limit = limit_of(query.get("limit"))
        cursor = query.get("cursor")
        place = None if cursor is None else keyset.decode(cursor)
        rows = history_rows(
            self.get_serializer(), readable, self.kwargs["id"], keyset, place, limit + 1
        )
        ends = [(row["id"],) for row in rows]
        return self.envelope(*cut(rows, ends, keyset, place, limit))

    def diff(self) -> HttpResponse:
        """Answer the fields in which two versions of one row that the actor may view differ."""
        query = self.request.GET
        filters.check_parameters(query, DIFF_PARAMETERS, {})
        earlier, later = versions_asked(query)
        readable = self.readable_here()
        before, after = (
            snapshot_at(self.model, self.get_serializer(), readable, self.kwargs["id"], version)
            for version in (earlier, later)
        )
        changes = differences(before, after)
        return self.respond({"from": earlier, "to": later, "changes": changes})

    # Pages

    def keyset_of(self, ordering: str | None) -> Keyset:
        """Return the order that a client asked for, or the resource's own.

        Raises ``QueryRefused`` unless each of its fields is a declared one.
        """
        cls: Any = type(self)
        if ordering is None:
            return declared.keyset_of(cls, self.ordering)
        names = [one.removeprefix("-") for one in ordering.split(",")]
        if len(set(names)) < len(names) or not set(names) <= declared.ordering_names(cls):
            raise filters.unknown_ordering()
        rules = view_rules_of(cls)
        # A row's place tells its value, so one row that hides it would be told by its neighbours.
        if any(
            rules[name].settled(self.actor, self.model) is not True
            for name in names
            if name in rules
        ):
            raise filters.unknown_ordering()
        return declared.keyset_of(cls, ordering)

    def filters(self) -> Mapping[str, filters.Filter]:
        """Return the filters that the request may use; what tells only what the actor may not know is not there."""
        cls: Any = type(self)
        return filters.open_to(
            self.actor,
            self.model,
            declared.filters_of(cls),
            view_rules_of(cls),
            self.request.GET,
        )

    def searched(self) -> Sequence[str]:
        """Return the fields that a search of the actor looks into."""
        rules = view_rules_of(type(self))  # type: ignore[arg-type]  # composed into Resource
        return [
            name
            for name in self.search_fields
            if name not in rules or rules[name].settled(self.actor, self.model) is not False
        ]

    def single_parameters(self) -> frozenset[str]:
        """Return the parameters of a list that the actor may give once."""
        found = declared.single_parameters(type(self))  # type: ignore[arg-type]  # composed into Resource
        return found if self.searched() else found - {filters.SEARCH}

    def narrowed(self) -> QuerySet[Any]:
        """Return the rows that the actor may view and that filters and search of the request leave."""
        query = self.request.GET
        cls: Any = type(self)
        rules = view_rules_of(cls)
        queryset = filters.narrow(
            self.visible(), self.actor, declared.filters_of(cls), rules, query
        )
        if filters.SEARCH in query:
            text = query[filters.SEARCH]
            queryset = filters.search(queryset, self.actor, self.searched(), rules, text)
        return queryset

    def counted(self, queryset: QuerySet[Any]) -> int:
        """Return the number of rows, looking no further than one beyond ``MOST_COUNTED``."""
        return queryset.order_by().values("pk")[: MOST_COUNTED + 1].count()

    def prepared_rows(
        self, keyset: Keyset, place: Place | None, limit: int, shape: Shape
    ) -> Sequence[Any] | None:
        """Return the rows of a page and one more by SQL compiled before, or ``None`` where that cannot be done."""
        cls: Any = type(self)
        whole = self.plan
        if whole is None or not declared.is_plain(cls):
            return None
        plan, backward = shape.plan(whole), bool(place and place.backward)
        guarded = bool(cls.field_rules)
        rows = declared.prepared_rows(cls, keyset, shape, backward)
        tail = [] if place is None else keyset.parameters(place, connections[rows.db])

        def build(actor: Actor) -> QuerySet[Any]:
            found = self.policy.scope(actor, rows)
            if guarded:
                all_rows = judged(declared.rows_of(cls, False), actor, plan.conditions)
                found = declared.in_order(
                    self.policy.scope(actor, all_rows), keyset, plan, backward
                )
            return found if place is None else keyset.beyond(found, place)

        reading = self.accessible.reading if guarded else None
        key = (cls, keyset, shape.fields, None if place is None else place.shape, reading)
        statement = prepared_statement(
            self.actor, self.policy.permission("view"), key, build, tail, plan.rules
        )
        if statement is None:
            return None
        sql, params = statement
        return fetch_prepared(f"{sql} LIMIT {limit + 1:d}", params, using=rows.db)

    def rows_in_order(
        self,
        queryset: QuerySet[Any],
        keyset: Keyset,
        place: Place | None,
        limit: int,
        shape: Shape,
    ) -> Sequence[Any]:
        """Return the rows of a page and one more: tuples of the plan's columns, or instances without a plan."""
        plan = self.plan
        plan = None if plan is None else shape.plan(plan)
        backward = bool(place and place.backward)
        queryset = declared.in_order(self.judged(queryset, plan), keyset, plan, backward)
        if place is not None:
            queryset = keyset.beyond(queryset, place)
        if plan is None:
            return list(queryset[: limit + 1])
        return fetch(queryset[: limit + 1])

    def page(
        self,
        loaded: Sequence[Any],
        keyset: Keyset,
        place: Place | None,
        limit: int,
        shape: Shape,
        total: int | None,
    ) -> HttpResponse:
        """Answer the first ``limit`` of the ``loaded`` rows; one more tells that the list goes on."""
        plan = self.plan
        ends: Sequence[Sequence[Any]]
        if plan is None:
            ends = [[getattr(one, name) for name in keyset.fields] for one in loaded]
            rows = shape.rows(self.represented(loaded[:limit]))
        else:
            shown = shape.plan(plan)
            names = shown.names_with(keyset.fields)
            places = [names.index(name) for name in keyset.fields]
            ends = Ends(loaded, places)
            rows = shown.rows(loaded[:limit])
        part, following, previous = cut(rows, ends, keyset, place, limit)
        if shape.expand:
            part = [dict(row) for row in part]
            expand(self, part, shape.expand)  # type: ignore[arg-type]  # composed into Resource
        return self.envelope(part, following, previous, total)

    def envelope(
        self,
        rows: Sequence[Mapping[str, Any]],
        following: str | None,
        previous: str | None,
        total: int | None = None,
    ) -> HttpResponse:
        """Answer ``rows`` as a page; the cursors lead to the next and the previous one."""
        counts: dict[str, Any] = {}
        if total is not None:
            counts["count"] = min(total, MOST_COUNTED)
            counts["count_is_capped"] = total > MOST_COUNTED
        return answer_page(self.request, rows, following, previous, counts)

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
        if plan is None or cls.row is not Reads.row:
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
