"""ETags spare reads and keep two writers from undoing each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.resource.conftest import Library
from tests.core.resource.testapp.models import Book, Sample

pytestmark = pytest.mark.django_db


def path_of(book: Book) -> str:
    return f"books/{book.pk}/"


def test_every_answer_that_shows_one_row_has_its_tag(librarian: Any, library: Library) -> None:
    body = {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk)}
    created = librarian.call("POST", "books/", body)
    path = created["Location"]
    read = librarian.call("GET", path)
    assert created["ETag"] == read["ETag"] == librarian.call("HEAD", path)["ETag"]
    changed = librarian.call("PATCH", path, {"title": "U"})
    assert changed["ETag"] == librarian.call("GET", path)["ETag"] != read["ETag"]
    assert librarian.call("POST", f"{path}lend/", {"reader": "A"})["ETag"] != changed["ETag"]


def test_a_client_that_has_it_already_is_spared(librarian: Any, library: Library) -> None:
    path = path_of(library.book())
    tag = librarian.call("GET", path)["ETag"]
    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        spared = librarian.call("GET", path, HTTP_IF_NONE_MATCH=header)
        assert (spared.status_code, spared.content, spared["ETag"]) == (304, b"", tag)
    librarian.call("PATCH", path, {"title": "New"})
    assert librarian.call("GET", path, HTTP_IF_NONE_MATCH=tag).status_code == 200


def test_what_is_shown_differently_has_another_tag(librarian: Any, library: Library) -> None:
    path = path_of(library.book())
    whole = librarian.call("GET", path)["ETag"]
    part = librarian.call("GET", f"{path}?fields=title")["ETag"]
    assert whole != part
    assert librarian.call("GET", f"{path}?fields=title", HTTP_IF_NONE_MATCH=part).status_code == 304
    shelf = library.north_shelf
    opened = librarian.call("GET", f"{path}?expand=shelf")["ETag"]
    librarian.call("PATCH", f"shelves/{shelf.pk}/", {"name": "renamed"})
    again = librarian.call("GET", f"{path}?expand=shelf", HTTP_IF_NONE_MATCH=opened)
    assert (again.status_code, again.json()["shelf"]["name"]) == (200, "renamed")


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "lend"])
def test_the_second_of_two_writers_is_told(librarian: Any, library: Library, method: str) -> None:
    book = library.book()
    path = path_of(book)
    read = librarian.call("GET", path)
    body = read.json() if method == "PUT" else {"title": "Second"}
    librarian.call("PATCH", path, {"title": "First"}, HTTP_IF_MATCH=read["ETag"])
    call = ("POST", f"{path}lend/", {"reader": "A"}) if method == "lend" else (method, path, body)
    refused = librarian.call(*call, HTTP_IF_MATCH=read["ETag"])
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert refused["ETag"] == '"2"'
    assert Book.objects.get(pk=book.pk).title == "First"


@pytest.mark.parametrize(
    ("header", "status"),
    [("{tag}", 200), ('"x", {tag}', 200), ('"1"', 200), ("*", 200)]
    + [("W/{tag}", 412), ('"x"', 412), ("", 412), ("1", 412)],
)
def test_only_strong_tags_of_the_present_state_match(
    librarian: Any, library: Library, header: str, status: int
) -> None:
    path = path_of(library.book())
    sent = header.replace("{tag}", librarian.call("GET", path)["ETag"])
    response = librarian.call("PATCH", path, {"title": "New"}, HTTP_IF_MATCH=sent)
    assert response.status_code == status


@pytest.mark.parametrize(
    "tag", [" " * 2_000_000 + '"1', '"' + " " * 2_000_000 + "1", '"7"' + " " * 2_000_000 + "x"]
)
def test_a_tag_as_long_as_a_body_is_looked_through_once(
    librarian: Any, library: Library, tag: str
) -> None:
    items = [{"id": str(library.book().pk), "if_match": tag, "title": "x"}]
    answer = librarian.call("POST", "books/bulk/update/", {"items": items})
    assert [one["status"] for one in answer.json()["results"]] == [412]


def test_a_row_that_cannot_be_seen_stays_unknown_whatever_is_matched(
    client_of: Any, library: Library
) -> None:
    path = path_of(library.book())
    reader = client_of("view_book")
    stranger = client_of("view_book", "change_book", units=[library.south.pk])
    assert reader.call("PATCH", path, {}, HTTP_IF_MATCH='"9"').status_code == 403
    assert stranger.call("PATCH", path, {}, HTTP_IF_MATCH='"1"').status_code == 404


def test_the_slow_road_has_tags_too(librarian: Any, library: Library) -> None:
    path = f"slow-samples/{Sample.objects.create().pk}/"
    tag = librarian.call("GET", path)["ETag"]
    assert librarian.call("GET", path, HTTP_IF_NONE_MATCH=tag).status_code == 304
    assert librarian.call("PATCH", path, {"number": 1}, HTTP_IF_MATCH='"7"').status_code == 412
    assert librarian.call("PATCH", path, {"number": 1}, HTTP_IF_MATCH=tag).status_code == 200


def test_a_resource_can_ask_for_the_state_that_was_seen(
    librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.core.resource.testapp.resources import ShelfResource

    monkeypatch.setattr(ShelfResource, "requires_match", True)
    path = f"shelves/{library.north_shelf.pk}/"
    refused = librarian.call("PATCH", path, {"name": "New"})
    assert (refused.status_code, refused.json()["code"]) == (428, "precondition_required")
    assert librarian.call("PATCH", path, {"name": "New"}, HTTP_IF_MATCH='"1"').status_code == 200
