"""Filters, search and unknown parameters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.core.resource.conftest import Library, codes

pytestmark = pytest.mark.django_db


def titles(response: Any) -> str:
    assert response.status_code == 200, response.content
    return "".join(one["title"] for one in response.json()["data"])


@pytest.fixture
def shelved(library: Library) -> Library:
    """Return the library with three books."""
    library.book("a", grade="a", pages=10, subtitle="100% true", published_on=dt.date(2020, 1, 1))
    library.book("b", grade="b", pages=20, subtitle="a Tale", published_on=dt.date(2021, 1, 1))
    library.book("c", grade="c", pages=30, shelf=library.south_shelf, is_lent=True)
    return library


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("grade=a", "a"),
        ("grade=a&grade=c", "ac"),
        ("grade__in=a,b", "ab"),
        ("grade__in=a&grade__in=c", "ac"),
        ("pages=20", "b"),
        ("pages__gte=20", "bc"),
        ("pages__gte=20&pages__lte=20", "b"),
        ("pages__lte=10&pages__lte=20", "ab"),
        ("published_on=2020-01-01", "a"),
        ("published_on__gte=2020-06-01", "b"),
        ("published_on__isnull=true", "c"),
        ("is_lent=true", "c"),
        ("is_lent=false", "ab"),
        ("subtitle=", "c"),
        ("subtitle__icontains=TALE", "b"),
        ("shelf__name=S1", "c"),
        ("search=tale", "b"),
        ("search=tale+b", "b"),
        ("search=tale+x", ""),
        ("search=%25", "a"),
        ("search=_", ""),
        ("search=", "abc"),
        ("ordering=-pages", "cba"),
    ],
)
def test_a_list_is_narrowed(librarian: Any, shelved: Library, query: str, expected: str) -> None:
    assert titles(librarian.call("GET", f"books/?{query}")) == expected


@pytest.mark.parametrize(
    "query",
    [
        "grade=x",
        "grade=",
        "pages=many",
        "pages=",
        "pages__gte=1.5",
        "published_on=01/02/2020",
        "published_on=2020-02-30",
        "published_on__isnull=maybe",
        "is_lent=perhaps",
        "shelf=1",
        "shelf__in=x",
        "subtitle=%00",
        "search=%00",
        "search=" + "x" * 201,
        "pages=" + "&pages=".join("1" * 101),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(librarian: Any, query: str) -> None:
    response = librarian.call("GET", f"books/?{query}")
    assert response.status_code == 422
    assert list(codes(response)) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("color=red", "unknown_parameter"),
        ("secret=x", "unknown_parameter"),
        ("grade__gt=a", "unknown_parameter"),
        ("shelf__branch__name=North", "unknown_parameter"),
        ("page=2", "unknown_parameter"),
        ("format=json", "unknown_parameter"),
        ("limit=1&limit=2", "repeated_parameter"),
        ("search=a&search=b", "repeated_parameter"),
    ],
)
def test_an_unknown_parameter_is_refused(librarian: Any, query: str, code: str) -> None:
    assert list(codes(librarian.call("GET", f"books/?{query}")).values()) == [code]


def test_search_is_a_parameter_only_where_declared(librarian: Any) -> None:
    assert codes(librarian.call("GET", "branches/?search=x")) == {"search": "unknown_parameter"}


def test_a_filter_looks_only_at_related_rows_in_scope(client_of: Any, shelved: Library) -> None:
    south, north = shelved.south_shelf.pk, shelved.north_shelf.pk
    reader = client_of("view_book")
    assert titles(reader.call("GET", f"books/?shelf={south}")) == ""
    assert titles(reader.call("GET", "books/?shelf__name=S1")) == ""
    scoped = client_of("view_book", "view_shelf", units=[shelved.north.pk])
    assert titles(scoped.call("GET", f"books/?shelf={south}&shelf={north}")) == "ab"
    assert titles(scoped.call("GET", "books/?shelf__name=S1")) == ""


def test_an_integer_too_large_for_the_column_matches_nothing(librarian: Any) -> None:
    assert titles(librarian.call("GET", "books/?pages=99999999999999999999")) == ""
