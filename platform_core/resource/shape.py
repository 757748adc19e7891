"""What of a row is shown: ``fields=`` leaves out, ``expand=`` opens references, ``include=`` adds to a page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from platform_core.resource.problems import QueryRefused

if TYPE_CHECKING:
    from django.http import QueryDict

    from platform_core.resource.representation import Plan

FIELDS = "fields"
EXPAND = "expand"
INCLUDE = "include"
COUNT = "count"
SHAPE_PARAMETERS = frozenset({FIELDS, EXPAND})
EXPAND_DEPTH = 2
MOST_EXPANSIONS = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields to show (``None`` for all), and the paths of references to open, each as its steps."""

    fields: tuple[str, ...] | None = None
    expand: tuple[tuple[str, ...], ...] = ()

    def plan(self, plan: Plan) -> Plan:
        """Return the part of ``plan`` that is shown."""
        return plan if self.fields is None else plan.only(self.fields)

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Return ``rows`` with the shown fields only; for rows that no plan has cut already."""
        if self.fields is None:
            return rows
        return [{name: row[name] for name in row if name in self.fields} for row in rows]


WHOLE = Shape()


def shape_of(query: QueryDict, shown: Collection[str], references: Collection[str]) -> Shape:
    """Return what ``query`` asks to see of rows whose fields are ``shown``.

    ``references`` are the fields that can be opened. Raises ``QueryRefused`` for a name that is none of them.
    """
    fields = None
    if FIELDS in query:
        wanted = _names(query, FIELDS)
        if not wanted or not set(wanted) <= set(shown):
            raise QueryRefused(FIELDS, _("There is no such field to show."), "unknown_field")
        fields = tuple(name for name in shown if name in wanted)
    expand: tuple[tuple[str, ...], ...] = ()
    if EXPAND in query:
        expand = tuple(tuple(name.split(".")) for name in _names(query, EXPAND))
        if not expand or any(path[0] not in references for path in expand):
            raise QueryRefused(EXPAND, _("There is no such reference to expand."), "unknown_field")
        if len(expand) > MOST_EXPANSIONS or any(len(path) > EXPAND_DEPTH for path in expand):
            raise QueryRefused(
                EXPAND, _("References are expanded two levels deep at most."), "too_deep"
            )
        if fields is not None:
            opened = {path[0] for path in expand}
            fields = tuple(name for name in shown if name in fields or name in opened)
    return Shape(fields, expand)


def wants_count(query: QueryDict) -> bool:
    """Tell whether the page shall say how many rows there are; raises ``QueryRefused`` for anything else to include."""
    if INCLUDE not in query:
        return False
    if _names(query, INCLUDE) != [COUNT]:
        raise QueryRefused(INCLUDE, _("Only count can be included."), "unknown_value")
    return True


def _names(query: QueryDict, parameter: str) -> list[str]:
    text = str(query[parameter])
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
