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
