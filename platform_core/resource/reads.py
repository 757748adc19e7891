"""The reads of a resource: pages, single rows and history, by SQL compiled before wherever that can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse

from platform_core.resource import declared, filters
from platform_core.resource.history import history_keyset, history_rows
from platform_core.resource.page_reads import PageReads
from platform_core.resource.pages import cut
from platform_core.resource.pagination import limit_of
from platform_core.resource.row_reads import RowReads
from platform_core.resource.shape import INCLUDE, SHAPE_PARAMETERS, WHOLE, wants_count
from platform_core.resource.versions import (
    DIFF_PARAMETERS,
    differences,
    snapshot_at,
    versions_asked,
)

_PAGE_PARAMETERS = filters.LIST_PARAMETERS | SHAPE_PARAMETERS | {filters.ORDERING, INCLUDE}


class Reads(PageReads):
    """What ``Resource`` answers without changing anything."""

    parent: Any
    parent_id: Any

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
        if cls.shown is not RowReads.shown or not declared.is_plain(cls):
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
