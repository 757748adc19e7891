"""The pages of a resource's list: in any declared order, narrowed, searched and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connections
from django.http import HttpResponse

from platform_core.prepared import fetch_prepared
from platform_core.resource import declared, filters
from platform_core.resource.expansion import expand
from platform_core.resource.field_access import judged, view_rules_of
from platform_core.resource.pages import Ends, answer_page, cut
from platform_core.resource.pagination import Keyset, Place
from platform_core.resource.reading import fetch
from platform_core.resource.row_reads import RowReads
from platform_core.resource.shape import Shape
from platform_core.resource.statements import prepared_statement

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from platform_core.access import Actor

MOST_COUNTED = 10_000


class PageReads(RowReads):
    """How ``Resource`` finds the rows of a page."""

    ordering: ClassVar[str]
    search_fields: ClassVar[Sequence[str]]

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
