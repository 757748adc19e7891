"""Below a parent there is what belongs to it: lists and creations are bound to a row that one has to see."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings
from django.urls import include, path
from waffle.testutils import override_flag

from platform_core.resource import build_plugin_urls
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from tests.core.resource.conftest import Library, codes
from tests.core.resource.testapp.models import Book
from tests.core.resource.testapp.resources import SLUG, BookResource, BranchResource, ShelfResource


class NestedBooks(BookResource):
    """Books, on shelves."""

    parents = {"shelves": "shelf"}


RESOURCES = (BranchResource, ShelfResource, NestedBooks)
urlpatterns = [path(f"api/v1/{SLUG}/", include((build_plugin_urls(SLUG, RESOURCES), SLUG)))]


@pytest.fixture(autouse=True)
def _own_urls(_library_urls: None) -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def below(shelf: Any, rest: str = "") -> str:
    return f"shelves/{getattr(shelf, 'pk', shelf)}/books/{rest}"


def test_a_list_has_the_rows_of_its_parent_with_filters_and_pages(
    librarian: Any, library: Library
) -> None:
    own = [library.book(f"Own {index}", pages=index + 1) for index in range(5)]
    library.book("Other", shelf=library.south_shelf)
    seen: list[str] = []
    url: str | None = below(library.north_shelf, "?limit=2&include=count&ordering=-pages")
    while url:
        answer = librarian.call("GET", url.removeprefix("http://testserver"))
        body = answer.json()
        assert body["count"] == 5
        assert ('rel="next"' in answer.get("Link", "")) is (body["next"] is not None)
        assert body["next"] is None or "/shelves/" in body["next"]
        seen += [one["id"] for one in body["data"]]
        url = body["next"]
    assert seen == [str(one.pk) for one in reversed(own)]
    other = librarian.call("GET", below(library.north_shelf, f"?shelf={library.south_shelf.pk}"))
    assert other.json()["data"] == []
    found = librarian.call("GET", below(library.north_shelf, "?search=Own 3")).json()["data"]
    assert [one["title"] for one in found] == ["Own 3"]
    assert librarian.call("GET", below(library.north_shelf, "?nope=1")).status_code == 422


def test_a_creation_belongs_to_the_parent(librarian: Any, library: Library) -> None:
    where = below(library.north_shelf)
    made = librarian.call("POST", where, {"title": "A", "isbn": "1"})
    assert made.status_code == 201, made.content
    assert made.json()["shelf"] == str(library.north_shelf.pk)
    assert made["Location"] == f"/api/v1/{SLUG}/books/{made.json()['id']}/"
    assert librarian.call("GET", made["Location"]).status_code == 200
    same = {"title": "B", "isbn": "2", "shelf": str(library.north_shelf.pk).upper()}
    assert librarian.call("POST", where, same).status_code == 201
    for wrong in (str(library.south_shelf.pk), None, 5, [], ""):
        refused = librarian.call("POST", where, {"title": "C", "isbn": "3", "shelf": wrong})
        assert (refused.status_code, codes(refused)) == (422, {"/shelf": "other_parent"})
    assert librarian.call("POST", where, [1]).status_code == 422
    assert Book.objects.count() == 2


def test_each_item_of_a_bulk_call_belongs_to_it(librarian: Any, library: Library) -> None:
    items = [
        {"title": "A", "isbn": "1"},
        {"title": "B", "isbn": "2", "shelf": str(library.south_shelf.pk)},
    ]
    answer = librarian.call("POST", below(library.north_shelf, "bulk/create/"), {"items": items})
    assert [one["status"] for one in answer.json()["results"]] == [201, 422]
    assert [one.shelf_id for one in Book.objects.all()] == [library.north_shelf.pk]


def test_a_parent_that_one_may_not_see_is_not_there(
    client_of: Callable[..., Any], anonymous: Any, library: Library
) -> None:
    library.book()
    body = {"title": "A", "isbn": "1"}
    of_south = client_of("view_shelf", "view_book", "add_book", units=[library.south.pk])
    no_shelves = client_of("view_book", "add_book")
    for client, shelf in (
        (of_south, library.north_shelf),
        (of_south, uuid.uuid4()),
        (no_shelves, library.north_shelf),
    ):
        for where in (below(shelf), below(shelf, "bulk/create/")):
            sent = {"items": [body]} if where.endswith("create/") else body
            assert client.call("POST", where, sent).status_code == 404
        assert client.call("GET", below(shelf)).status_code == 404
    no_books = client_of("view_shelf")
    for shelf in (library.north_shelf, uuid.uuid4()):  # the same, so it tells nothing of the shelf
        assert no_books.call("GET", below(shelf)).status_code == 403
        assert no_books.call("POST", below(shelf), body).status_code == 403
        assert anonymous.call("GET", below(shelf)).status_code == 401
    assert Book.objects.count() == 1


def test_a_parent_that_is_deleted_or_off_is_not_there(
    librarian: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShelfResource, "flag", "resource_testapp.flagged")
    for method in ("GET", "OPTIONS"):
        assert librarian.call(method, below(library.north_shelf)).status_code == 404
    with override_flag("resource_testapp.flagged", active=True):
        assert librarian.call("GET", below(library.north_shelf)).status_code == 200
        library.north_shelf.delete()
        assert librarian.call("GET", below(library.north_shelf)).status_code == 404
        made = librarian.call("POST", below(library.north_shelf), {"title": "A", "isbn": "1"})
        assert made.status_code == 404


def test_it_is_described() -> None:
    document = PlatformSchemaGenerator(urlconf=__name__).get_schema(public=True)  # type: ignore[no-untyped-call]
    item = document["paths"][f"/api/v1/{SLUG}/shelves/{{shelf_id}}/books/"]
    assert item["get"]["operationId"] == f"{SLUG}_shelves_books_list"
    assert {"shelf_id", "limit", "grade"} <= {one["name"] for one in item["get"]["parameters"]}
    assert "404" in item["get"]["responses"]
    sent = item["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert "shelf" in sent["properties"]
    assert "shelf" not in sent["required"]
    ids = [one["operationId"] for each in document["paths"].values() for one in each.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"parents": {"nowhere": "shelf"}}, "no resource of the plugin is called"),
        ({"parents": {"shelves": "title"}}, "no reference to a row"),
        ({"parents": {"branches": "shelf"}}, "no reference to a row"),
        ({"parents": {"shelves": "shelf"}, "filterset_fields": {}}, "filterset_fields"),
        ({"parents": {"shelves": "shelf"}, "name": "history"}, "called 'history' itself"),
    ],
)
def test_a_wrong_parent_does_not_start(declared: dict[str, Any], message: str) -> None:
    wrong = type("WrongResource", (BookResource,), declared)
    with pytest.raises(TypeError, match=message):
        build_plugin_urls(SLUG, [BranchResource, ShelfResource, wrong])
