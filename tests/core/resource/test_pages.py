"""Keyset pages: every row once, whatever is tied, inserted or deleted meanwhile."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.resource.conftest import Library, codes
from tests.core.resource.testapp.models import Book

pytestmark = pytest.mark.django_db


def walk(client: Any, path: str, between: Any = None) -> list[dict[str, Any]]:
    """Follow ``next`` to the end, calling ``between`` after each page."""
    rows: list[dict[str, Any]] = []
    while path:
        page = client.call("GET", path).json()
        rows += page["data"]
        path = (page["next"] or "").removeprefix("http://testserver")
        if path and between is not None:
            between()
    return rows


def test_a_list_has_an_envelope_and_a_link(librarian: Any, library: Library) -> None:
    for title in "abc":
        library.book(title)
    response = librarian.call("GET", "books/?limit=2")
    page = response.json()
    assert list(page) == ["data", "next", "prev"]
    assert response["Link"] == f'<{page["next"]}>; rel="next"'
    last = librarian.call("GET", page["next"].removeprefix("http://testserver"))
    assert [one["title"] for one in last.json()["data"]] == ["c"]
    assert last.json()["next"] is None
    assert last["Link"] == f'<{last.json()["prev"]}>; rel="prev"'
    assert "Link" not in librarian.call("GET", "books/")


def test_the_default_page_has_25_rows(librarian: Any, library: Library) -> None:
    for number in range(26):
        library.book(f"{number:02}")
    assert len(librarian.call("GET", "books/").json()["data"]) == 25


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "", "1.0", "²", "99999999999"])
def test_a_limit_out_of_range_is_refused(librarian: Any, limit: str) -> None:
    response = librarian.call("GET", f"books/?limit={limit}")
    assert (response.status_code, codes(response)) == (422, {"limit": "invalid_limit"})


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    pages=st.lists(st.integers(1, 3), max_size=9),
    limit=st.integers(1, 4),
    ordering=st.sampled_from(["pages", "-pages", "title", "-created_at", "price", "-grade"]),
)
def test_every_row_comes_once_in_order(
    librarian: Any, library: Library, pages: list[int], limit: int, ordering: str
) -> None:
    Book.objects.all().delete()
    for number in pages:
        library.book(f"t{number}", pages=number, price=number, grade="abc"[number - 1])
    rows = walk(librarian, f"books/?ordering={ordering}&limit={limit}")
    name = ordering.removeprefix("-")
    expected = sorted(((one[name], one["id"]) for one in rows), reverse=ordering.startswith("-"))
    assert len({one["id"] for one in rows}) == len(rows) == len(pages)
    if name != "price":  # prices are strings in JSON
        assert [(one[name], one["id"]) for one in rows] == expected


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data(), descending=st.booleans())
def test_writes_between_pages_neither_lose_nor_repeat_rows(
    librarian: Any, library: Library, data: st.DataObject, descending: bool
) -> None:
    Book.objects.all().delete()
    lasting = {library.book(f"t{n}", pages=n % 3 + 1).pk for n in range(6)}
    passing = [library.book(f"p{n}", pages=n % 3 + 1) for n in range(3)]

    def disturb() -> None:
        if data.draw(st.booleans()):
            library.book("new", pages=data.draw(st.integers(1, 3)))
        if passing and data.draw(st.booleans()):
            passing.pop().delete()

    sign = "-" if descending else ""
    seen = [one["id"] for one in walk(librarian, f"books/?ordering={sign}pages&limit=2", disturb)]
    assert len(seen) == len(set(seen))
    assert {str(pk) for pk in lasting} <= set(seen)


ORDERS = [
    "published_on",
    "-published_on",
    "published_on,-pages",
    "-pages,published_on",
    "-grade,pages",
]


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    rows=st.lists(st.tuples(st.sampled_from([None, 1, 2]), st.integers(1, 2)), max_size=8),
    limit=st.integers(1, 3),
    ordering=st.sampled_from(ORDERS),
)
def test_pages_with_ties_and_nulls_come_alike_both_ways(
    librarian: Any,
    library: Library,
    rows: list[tuple[int | None, int]],
    limit: int,
    ordering: str,
) -> None:
    Book.objects.all().delete()
    for day, pages in rows:
        published_on = None if day is None else f"2024-01-0{day}"
        library.book(pages=pages, published_on=published_on, grade="ab"[pages - 1])
    pages = [librarian.call("GET", f"books/?ordering={ordering}&limit={limit}").json()]
    while pages[-1]["next"]:
        pages.append(follow(librarian, pages[-1]["next"]))
    seen = [one["id"] for page in pages for one in page["data"]]
    by_one = librarian.call("GET", f"books/?ordering={ordering}&limit=200").json()["data"]
    assert seen == [one["id"] for one in by_one]
    assert len(seen) == len(rows)
    for earlier, later in zip(reversed(pages[:-1]), reversed(pages[1:]), strict=True):
        assert follow(librarian, later["prev"])["data"] == earlier["data"]
    assert pages[0]["prev"] is None
    if len(pages) > 1:
        first = follow(librarian, pages[1]["prev"])
        assert first["prev"] is None
        assert follow(librarian, first["next"])["data"] == pages[1]["data"]


def follow(client: Any, url: str) -> Any:
    return client.call("GET", url.removeprefix("http://testserver")).json()


def test_rows_come_and_go_while_paging_back(librarian: Any, library: Library) -> None:
    books = [library.book(f"{number:02}", pages=number + 1) for number in range(9)]
    page = follow(librarian, "/api/v1/resource_testapp/books/?ordering=pages&limit=3")
    third = follow(librarian, follow(librarian, page["next"])["next"])
    books[5].delete()
    library.book("new", pages=5)
    seen = []
    page = third
    while page["prev"]:
        page = follow(librarian, page["prev"])
        seen += [one["id"] for one in reversed(page["data"])]
    lasting = [str(book.pk) for book in reversed(books[:6]) if book is not books[5]]
    assert [one for one in seen if one in lasting] == lasting
    assert len(set(seen)) == len(seen)


def test_an_empty_page_leads_nowhere(librarian: Any, library: Library) -> None:
    for title in "ab":
        library.book(title)
    page = follow(librarian, "/api/v1/resource_testapp/books/?limit=1")
    Book.objects.filter(title="b").delete()
    assert follow(librarian, page["next"]) == {"data": [], "next": None, "prev": None}


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


ID = str(uuid.UUID(int=1))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "é",
        "!!!!",
        cursor(),
        cursor("title"),
        cursor("title", "a"),
        cursor("title", "a", ID, 1),
        cursor("-title", "a", ID),
        cursor("pages", 1, ID),
        cursor("title", None, ID),
        cursor("title", 1, ID),
        cursor("title", ["a"], ID),
        cursor("title", "a", "x"),
        cursor("title", "a", ID.upper().replace("-", "")),
        cursor("title", "a\x00", ID),
        cursor("title", "a", ID) + "=",
        base64.urlsafe_b64encode(b'{"title": 1}').decode(),
    ],
)
def test_a_cursor_that_was_not_made_here_is_refused(librarian: Any, value: str) -> None:
    response = librarian.call("GET", "books/?cursor=" + value)
    assert (response.status_code, codes(response)) == (422, {"cursor": "invalid_cursor"})


@pytest.mark.parametrize(
    ("ordering", "value"),
    [("created_at", "2024-01-01T00:00:00"), ("created_at", 1), ("pages", 1e30), ("price", "NaN")],
)
def test_a_cursor_of_the_wrong_type_is_refused(
    librarian: Any, ordering: str, value: object
) -> None:
    path = f"books/?ordering={ordering}&cursor={cursor(ordering, value, ID)}"
    assert codes(librarian.call("GET", path)) == {"cursor": "invalid_cursor"}


@pytest.mark.parametrize(
    "ordering", ["secret", "isbn", "", "-", "--title", "title,secret", "title,title", "title,", "?"]
)
def test_an_undeclared_order_is_refused(librarian: Any, ordering: str) -> None:
    response = librarian.call("GET", f"books/?ordering={ordering}")
    assert codes(response) == {"ordering": "unknown_ordering"}


def test_a_list_asks_the_database_once_for_any_number_of_rows(
    librarian: Any, library: Library, django_assert_num_queries: Any
) -> None:
    for number in range(30):
        library.book(f"{number:02}")
    for limit in (1, 30):
        with django_assert_num_queries(1):
            librarian.call("GET", f"books/?limit={limit}")
