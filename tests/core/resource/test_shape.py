"""What clients may ask to see: fewer fields, opened references, and how many rows there are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.resource.conftest import Library, codes
from tests.core.resource.testapp.models import Sample

pytestmark = pytest.mark.django_db


def test_only_the_named_fields_are_shown_in_the_order_of_the_whole(
    librarian: Any, library: Library
) -> None:
    book = library.book("One")
    page = librarian.call("GET", "books/?fields=title,id").json()["data"]
    assert page == [{"id": str(book.pk), "title": "One"}]
    assert list(page[0]) == ["id", "title"]
    one = librarian.call("GET", f"books/{book.pk}/?fields=title").json()
    assert one == {"title": "One"}
    sample = Sample.objects.create(text="t")
    for road in ("samples", "slow-samples"):
        assert librarian.call("GET", f"{road}/?fields=text").json()["data"] == [{"text": "t"}]
        assert librarian.call("GET", f"{road}/{sample.pk}/?fields=text").json() == {"text": "t"}


def test_pages_go_on_when_the_order_is_not_shown(librarian: Any, library: Library) -> None:
    for title in "abc":
        library.book(title)
    page = librarian.call("GET", "books/?fields=pages&limit=2").json()
    following = librarian.call("GET", page["next"].removeprefix("http://testserver")).json()
    assert [len(one["data"]) for one in (page, following)] == [2, 1]
    assert "fields=pages" in page["next"]


def test_references_are_opened_two_levels_deep(librarian: Any, library: Library) -> None:
    first = library.book("First")
    second = library.book("Second", sequel_to=first)
    path = "books/?expand=shelf.branch,sequel_to&ordering=title"
    rows = librarian.call("GET", path).json()["data"]
    assert rows[0]["sequel_to"] is None
    assert rows[1]["sequel_to"]["title"] == "First"
    assert rows[1]["shelf"]["branch"]["name"] == "North"
    one = librarian.call("GET", f"books/{second.pk}/?expand=sequel_to&fields=title").json()
    assert (one["title"], one["sequel_to"]["id"], len(one)) == ("Second", str(first.pk), 2)


def test_each_opened_kind_is_one_query(
    librarian: Any, library: Library, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        library.book(f"{number:02}")
    with django_assert_num_queries(3):
        librarian.call("GET", "books/?expand=shelf.branch")


def test_what_the_actor_may_not_see_stays_an_id(client_of: Any, library: Library) -> None:
    library.book()
    reader = client_of("view_book")
    rows = reader.call("GET", "books/?expand=shelf").json()["data"]
    assert rows[0]["shelf"] == str(library.north_shelf.pk)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("fields=secret", {"fields": "unknown_field"}),
        ("fields=", {"fields": "unknown_field"}),
        ("fields=title,nothing", {"fields": "unknown_field"}),
        ("expand=title", {"expand": "unknown_field"}),
        ("expand=secret", {"expand": "unknown_field"}),
        ("expand=shelf.nothing", {"expand": "unknown_field"}),
        ("expand=sequel_to.sequel_to.shelf", {"expand": "too_deep"}),
        ("include=sum", {"include": "unknown_value"}),
        ("fields=title&fields=id", {"fields": "repeated_parameter"}),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(
    librarian: Any, library: Library, query: str, refused: dict[str, str]
) -> None:
    library.book()
    response = librarian.call("GET", f"books/?{query}")
    assert (response.status_code, codes(response)) == (422, refused)


def test_a_count_is_of_what_the_actor_may_see_and_of_the_filters(
    client_of: Any, librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        shelf = library.north_shelf if number < 2 else library.south_shelf
        library.book(f"{number}", shelf=shelf, pages=number + 1)
    page = librarian.call("GET", "books/?include=count&limit=2").json()
    assert (page["count"], page["count_is_capped"], len(page["data"])) == (5, False, 2)
    assert librarian.call("GET", "books/?include=count&pages__gte=4").json()["count"] == 2
    northern = client_of("view_book", units=[library.north.pk])
    assert northern.call("GET", "books/?include=count").json()["count"] == 2
    monkeypatch.setattr("platform_core.resource.page_reads.MOST_COUNTED", 3)
    page = librarian.call("GET", "books/?include=count").json()
    assert (page["count"], page["count_is_capped"]) == (3, True)
    assert "count" not in librarian.call("GET", "books/").json()
