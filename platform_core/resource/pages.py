"""From loaded rows to a page: what is on it, and the cursors to the pages after and before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from django.http import HttpResponse

from platform_core.resource.rendering import JSON, dumps

if TYPE_CHECKING:
    from platform_core.resource.pagination import Keyset, Place


class Ends(Sequence[Sequence[Any]]):
    """The order's values of loaded tuples, taken out only where they are asked for."""

    def __init__(self, loaded: Sequence[Sequence[Any]], places: Sequence[int]) -> None:
        self.loaded = loaded
        self.places = places

    def __len__(self) -> int:
        return len(self.loaded)

    def __getitem__(self, index: Any) -> Any:
        return [self.loaded[index][place] for place in self.places]


def cut(
    rows: Sequence[Any],
    ends: Sequence[Sequence[Any]],
    keyset: Keyset,
    place: Place | None,
    limit: int,
) -> tuple[Sequence[Any], str | None, str | None]:
    """Return the rows of a page in the list's own order, and the cursors to the pages after and before it.

    ``ends`` are the order's values of each loaded row, of which there is one more than ``limit`` if the list goes on.
    """
    backward = place is not None and place.backward
    more = len(ends) > limit
    rows = rows[:limit]
    if not rows:
        return rows, None, None
    first, last = (len(rows) - 1, 0) if backward else (0, len(rows) - 1)
    following = keyset.encode(ends[last]) if more or backward else None
    known_before = more if backward else place is not None
    previous = keyset.encode(ends[first], backward=True) if known_before else None
    return (list(reversed(rows)) if backward else rows), following, previous


def answer_page(
    request: Any,
    rows: Sequence[Mapping[str, Any]],
    following: str | None,
    previous: str | None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> HttpResponse:
    """Answer ``rows`` as a page with ``more`` about the whole; the cursors lead to the next and the previous page."""
    links = {}
    if following is not None or previous is not None:
        plain = getattr(request, "_request", request)
        here = f"{plain.scheme}://{plain.get_host()}{quote(plain.path)}"
        query = {**dict(plain.GET.lists()), "cursor": []}
        for name, cursor in (("next", following), ("prev", previous)):
            if cursor is not None:
                query["cursor"] = [cursor]
                links[name] = f"{here}?{urlencode(sorted(query.items()), doseq=True)}"
    body = {"data": rows, "next": links.get("next"), "prev": links.get("prev"), **more}
    response = HttpResponse(dumps(body), content_type=JSON)
    if links:
        response["Link"] = ", ".join(f'<{url}>; rel="{name}"' for name, url in links.items())
    return response
