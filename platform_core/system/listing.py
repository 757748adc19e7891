"""Lists of facts that are made whole and cut into pages: they keep the conventions of lists of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpResponse
from rest_framework.exceptions import MethodNotAllowed

from platform_core.contributions import Route
from platform_core.resource.filters import LIST_PARAMETERS, check_parameters
from platform_core.resource.pages import answer_page
from platform_core.resource.pagination import bad_cursor, content_of, cursor_of, limit_of
from platform_core.resource.rendering import JSON, dumps
from platform_core.resource.shape import FIELDS, shape_of
from platform_core.system import descriptions

if TYPE_CHECKING:
    from django.http import HttpRequest, QueryDict

Row = Mapping[str, Any]
_FIELDS = frozenset({FIELDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A read-only list below ``/api/v1/system/``.

    ``rows`` makes all of it, of which ``key`` is a unique text. ``properties`` describes a row in JSON Schema; each of
    ``filters`` is a text of a row. With ``details`` each row has an address of its own, where it is shown with more.
    """

    name: str
    summary: str
    access: str
    key: str
    rows: Callable[[], Sequence[Row]]
    properties: Mapping[str, Any]
    filters: tuple[str, ...] = ()
    details: Callable[[str], Row] | None = None
    detail_properties: Mapping[str, Any] | None = None

    def routes(self) -> Iterator[Route]:
        """Yield the routes of the list, and of its rows if they have addresses."""
        yield Route(
            path=f"{self.name}/",
            name=self.name,
            access=self.access,
            view=self.list,
            describe=lambda: descriptions.of_list(self.summary, self.properties, self.filters),
        )
        if self.details is not None:
            yield Route(
                path=f"{self.name}/<str:key>/",
                name=f"{self.name}-detail",
                access=self.access,
                view=self.retrieve,
                describe=lambda: descriptions.of_row(
                    self.summary, {**self.properties, **(self.detail_properties or {})}
                ),
            )

    def list(self, request: HttpRequest) -> HttpResponse:
        """Answer one page, in the order of the key."""
        if request.method == "OPTIONS":
            return tell_methods("GET, HEAD, OPTIONS")
        only(request, "GET", "HEAD")
        query = request.GET
        check_parameters(query, LIST_PARAMETERS | _FIELDS, dict.fromkeys(self.filters))
        shape = shape_of(query, [*self.properties], ())
        limit, place = limit_of(query.get("limit")), place_of(query)
        found = sorted(filter(self._wanted(query), self.rows()), key=lambda row: str(row[self.key]))
        keys = [str(row[self.key]) for row in found]
        start, end = _window(keys, place, limit)
        following = cursor_of([">", keys[end - 1]]) if start < end < len(keys) else None
        previous = cursor_of(["<", keys[start]]) if 0 < start < end else None
        return answer_page(request, shape.rows(found[start:end]), following, previous)

    def retrieve(self, request: HttpRequest, key: str) -> HttpResponse:
        """Answer one row with more about it."""
        if request.method == "OPTIONS":
            return tell_methods("GET, HEAD, OPTIONS")
        only(request, "GET", "HEAD")
        check_parameters(request.GET, _FIELDS, {})
        shape = shape_of(request.GET, [*self.properties, *(self.detail_properties or ())], ())
        row = next((one for one in self.rows() if one[self.key] == key), None)
        if row is None or self.details is None:
            raise Http404
        shown = shape.rows([{**row, **self.details(key)}])[0]
        return HttpResponse(dumps(shown), content_type=JSON)

    def _wanted(self, query: QueryDict) -> Callable[[Row], bool]:
        asked = {name: set(query.getlist(name)) for name in self.filters if name in query}

        def wanted(row: Row) -> bool:
            return all(str(row[name]) in values for name, values in asked.items())

        return wanted


def only(request: HttpRequest, *methods: str) -> None:
    """Raise MethodNotAllowed for a method that is none of ``methods``."""
    if request.method not in methods:
        error: Any = MethodNotAllowed(request.method or "")
        error.allowed = methods  # the answer says so in Allow
        raise error


def tell_methods(allowed: str) -> HttpResponse:
    """Answer ``OPTIONS``."""
    return HttpResponse(status=204, headers={"Allow": allowed})


def place_of(query: QueryDict) -> tuple[bool, str] | None:
    """Return whether the page lies before the key of the cursor, and that key; raises ``QueryRefused``."""
    if "cursor" not in query:
        return None
    text = str(query["cursor"])
    content = content_of(text)
    match content:
        case [(">" | "<") as side, str(key)] if cursor_of(content) == text:
            return side == "<", key
    raise bad_cursor()


def _window(keys: Sequence[str], place: tuple[bool, str] | None, limit: int) -> tuple[int, int]:
    """Return where in the sorted ``keys`` the page starts and ends."""
    if place is None:
        return 0, min(limit, len(keys))
    backward, key = place
    if backward:
        end = sum(one < key for one in keys)
        return max(0, end - limit), end
    start = sum(one <= key for one in keys)
    return start, min(start + limit, len(keys))
