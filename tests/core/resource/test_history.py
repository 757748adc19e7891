"""The history of a row through the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.resource.conftest import Library

pytestmark = pytest.mark.django_db


def test_history_tells_who_did_what_when(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    librarian.call("PATCH", path, {"title": "New"})
    librarian.call("DELETE", path)
    librarian.call("POST", f"{path}restore/")
    response = librarian.call("GET", f"{path}history/")
    entries = response.json()["data"]
    assert [one["type"] for one in entries] == ["restored", "deleted", "changed", "created"]
    assert [one["version"] for one in entries] == [4, 3, 2, 1]
    assert [one["snapshot"]["title"] for one in entries] == ["New", "New", "New", "A book"]
    assert entries[0]["actor"] == {"id": str(librarian.id), "kind": "user"}
    assert entries[-1]["actor"] == {"id": None, "kind": "system"}
    assert entries[0]["request_id"]
    assert entries[0]["request_id"] != entries[1]["request_id"]
    assert entries[0]["at"].endswith("Z")


def test_history_shows_readable_fields_only(librarian: Any, library: Library) -> None:
    book = library.book()
    shown = librarian.call("GET", f"books/{book.pk}/").json()
    (entry,) = librarian.call("GET", f"books/{book.pk}/history/").json()["data"]
    assert entry["snapshot"] == shown
    assert "secret" not in entry["snapshot"]


def test_history_comes_in_pages(librarian: Any, library: Library) -> None:
    book = library.book()
    for number in range(4):
        book.title = f"t{number}"
        book.save()
    path, seen = f"books/{book.pk}/history/?limit=2", []
    while path:
        page = librarian.call("GET", path).json()
        seen += [one["version"] for one in page["data"]]
        path = (page["next"] or "").removeprefix("http://testserver")
    assert seen == [5, 4, 3, 2, 1]


def test_history_of_a_deleted_row_is_as_invisible_as_the_row(
    librarian: Any, library: Library
) -> None:
    path = f"books/{library.book().pk}/"
    librarian.call("DELETE", path)
    assert librarian.call("GET", f"{path}history/").status_code == 404


@pytest.mark.parametrize("query", ["ordering=id", "search=x", "limit=0", "cursor=x"])
def test_history_takes_only_page_parameters(librarian: Any, library: Library, query: str) -> None:
    path = f"books/{library.book().pk}/history/?{query}"
    assert librarian.call("GET", path).status_code == 422


def changed_book(librarian: Any, library: Library) -> str:
    path = f"books/{library.book('One', pages=1).pk}/"
    librarian.call("PATCH", path, {"title": "Two"})
    librarian.call("PATCH", path, {"pages": 3, "subtitle": "S"})
    return path


def test_two_versions_are_compared_field_by_field(librarian: Any, library: Library) -> None:
    path = changed_book(librarian, library)
    found = librarian.call("GET", f"{path}history/diff/?from=1&to=3").json()
    assert found["changes"] == [
        {"field": "title", "before": "One", "after": "Two"},
        {"field": "subtitle", "before": "", "after": "S"},
        {"field": "pages", "before": 1, "after": 3},
    ]
    back = librarian.call("GET", f"{path}history/diff/?from=3&to=2").json()
    assert [one["field"] for one in back["changes"]] == ["subtitle", "pages"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("?from=1", 422),
        ("?from=1&to=x", 422),
        ("?from=1&to=9", 404),
        ("?from=1&to=2&x=1", 422),
    ],
)
def test_a_comparison_needs_two_versions_that_were(
    librarian: Any, library: Library, query: str, status: int
) -> None:
    path = changed_book(librarian, library)
    assert librarian.call("GET", f"{path}history/diff/{query}").status_code == status


def test_going_back_is_a_change_with_a_reason(librarian: Any, library: Library) -> None:
    path = changed_book(librarian, library)
    answer = librarian.call("POST", f"{path}history/1/restore/")
    assert answer.status_code == 200, answer.content
    shown = answer.json()
    assert (shown["title"], shown["pages"], shown["subtitle"]) == ("One", 1, "")
    assert shown["version"] == 4
    entry = librarian.call("GET", f"{path}history/").json()["data"][0]
    assert (entry["type"], entry["reason"]) == ("changed", "reverted to version 1")
    told = librarian.call("POST", f"{path}history/2/restore/", {"reason": "a mistake"})
    assert told.status_code == 200
    assert librarian.call("GET", f"{path}history/").json()["data"][0]["reason"] == "a mistake"


def test_going_back_obeys_rules_constraints_and_conditions(
    client_of: Any, librarian: Any, library: Library
) -> None:
    path = changed_book(librarian, library)
    assert librarian.call("POST", f"{path}history/9/restore/").status_code == 404
    stale = librarian.call("POST", f"{path}history/1/restore/", HTTP_IF_MATCH='"1"')
    assert stale.status_code == 412
    assert client_of("view_book").call("POST", f"{path}history/1/restore/").status_code == 403
    southern = client_of("view_book", "change_book", units=[library.south.pk])
    assert southern.call("POST", f"{path}history/1/restore/").status_code == 404
    isbn = librarian.call("GET", path).json()["isbn"]
    librarian.call("PATCH", path, {"isbn": "another"})
    library.book(isbn=isbn)
    taken = librarian.call("POST", f"{path}history/1/restore/")
    assert (taken.status_code, taken.json()["code"]) == (409, "not_unique")


def test_what_the_serializer_hides_is_in_no_comparison(librarian: Any, library: Library) -> None:
    book = library.book()
    book.secret = "told"
    book.save()
    found = librarian.call("GET", f"books/{book.pk}/history/diff/?from=1&to=2").json()
    assert found["changes"] == []
    librarian.call("POST", f"books/{book.pk}/history/1/restore/")
    book.refresh_from_db()
    assert book.secret == "told"
