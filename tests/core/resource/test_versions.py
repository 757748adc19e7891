"""A second version of a thing stands beside the first: addresses, answers, description and counts of its own."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import override_settings
from django.urls import resolve, reverse
from rest_framework import serializers

from platform_core.access import Actor
from platform_core.compatibility.documents import compare
from platform_core.operations import serving
from platform_core.prefix_routing import PluginResolver
from platform_core.registry.contents import contribution_name
from platform_core.registry.item_facts import facts_of
from platform_core.resource import Deprecated, ModelSerializer, check_resource, plugin_resolvers
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from platform_core.testing.contract import structure
from platform_core.testing.contract.subjects import ResourceSubject
from tests.core.resource.conftest import Library, codes
from tests.core.resource.testapp.models import Book, Shelf
from tests.core.resource.testapp.resources import (
    SLUG,
    STANDARD,
    BookResource,
    BranchResource,
    ShelfResource,
)

FIRST, SECOND = f"/api/v1/{SLUG}/", f"/api/v2/{SLUG}/"
GOING = Deprecated(
    since=datetime.date(2026, 11, 1),
    sunset=datetime.date(2027, 6, 1),
    successor=f"{SECOND}books/",
    instead="Use version 2.",
)


class Books(BookResource):
    """Books as they were."""

    deprecated = GOING
    limits = {"list": "2/hour"}


class SecondBookSerializer(ModelSerializer):
    """Books by other names."""

    name = serializers.CharField(source="title", max_length=100)

    class Meta:
        model = Book
        fields = (*STANDARD, "name", "isbn", "shelf", "sequel_to")


class SecondBooks(BookResource):
    """Books as they are."""

    api_version = 2
    serializer_class = SecondBookSerializer
    limits = {"list": "2/hour"}
    parents = {"shelves": "shelf"}


SecondBooks.__name__ = "Books"  # as in a module of its own


class SecondShelfSerializer(ModelSerializer):
    class Meta:
        model = Shelf
        fields = ("id", "name")


class SecondShelves(ShelfResource):
    """Shelves as they are."""

    api_version = 2
    serializer_class = SecondShelfSerializer


RESOURCES = (BranchResource, ShelfResource, Books, SecondBooks, SecondShelves)
urlpatterns = [PluginResolver(plugin_resolvers(SLUG, RESOURCES))]


@pytest.fixture(autouse=True)
def _own_urls(_library_urls: None) -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def described() -> dict[str, Any]:
    found: dict[str, Any] = PlatformSchemaGenerator(urlconf=__name__).get_schema(public=True)  # type: ignore[no-untyped-call]
    return found


def test_both_show_and_take_the_same_rows_in_their_own_way(
    librarian: Any, library: Library
) -> None:
    body = {"name": "A", "isbn": "1", "shelf": str(library.north_shelf.pk)}
    made = librarian.call("POST", f"{SECOND}books/", body)
    assert made.status_code == 201, made.content
    assert made["Location"] == f"{SECOND}books/{made.json()['id']}/"
    assert "Deprecation" not in made
    old = librarian.call("GET", f"{FIRST}books/{made.json()['id']}/")
    assert (old.json()["title"], "name" in old.json()) == ("A", False)
    assert (made.json()["name"], "title" in made.json()) == ("A", False)
    assert codes(librarian.call("POST", f"{FIRST}books/", body))["/name"] == "unknown_field"
    changed = librarian.call("PATCH", made["Location"], {"name": "B"}, HTTP_IF_MATCH=old["ETag"])
    assert changed.status_code == 200
    assert librarian.call("GET", f"{FIRST}books/").json()["data"][0]["title"] == "B"


def test_the_first_says_when_it_goes_and_what_follows_it(librarian: Any, library: Library) -> None:
    answer = librarian.call("GET", f"{FIRST}books/{library.book().pk}/")
    assert answer["Sunset"] == "Tue, 01 Jun 2027 00:00:00 GMT"
    assert answer["Deprecation"].startswith("@")
    assert f'<{SECOND}books/>; rel="successor-version"' in answer["Link"]


def test_pages_and_nested_addresses_stay_within_a_version(librarian: Any, library: Library) -> None:
    for _ in range(3):
        library.book()
    for where in ("books/", f"shelves/{library.north_shelf.pk}/books/"):
        page = librarian.call("GET", f"{SECOND}{where}?limit=1")
        assert f"{SECOND}{where}" in page.json()["next"]
        assert f"{SECOND}{where}" in page["Link"]
        assert "name" in page.json()["data"][0]
    assert librarian.call("GET", f"{FIRST}{where}").status_code == 404
    made = librarian.call("POST", f"{SECOND}{where}", {"name": "A", "isbn": "1"})
    assert made["Location"] == f"{SECOND}books/{made.json()['id']}/"


def test_what_is_expanded_is_of_the_same_version_or_of_the_last_before(
    librarian: Any, library: Library
) -> None:
    first = library.book()
    library.book(sequel_to=first)
    old, new = (
        librarian.call("GET", f"{where}books/?expand=shelf,sequel_to.shelf").json()["data"]
        for where in (FIRST, SECOND)
    )
    assert {*new[0]["shelf"]} == {"id", "name"}
    assert {"branch"} <= {*old[0]["shelf"]}
    sequels = [next(one["sequel_to"] for one in data if one["sequel_to"]) for data in (old, new)]
    assert ["title" in one for one in sequels] == [True, False]
    assert ["branch" in one["shelf"] for one in sequels] == [True, False]


def test_access_is_decided_by_each(client_of: Callable[..., Any], library: Library) -> None:
    book = library.book()
    viewer, nobody = client_of("view_book", units=[library.north.pk]), client_of()
    assert viewer.call("GET", f"{SECOND}books/{book.pk}/").status_code == 200
    assert viewer.call("PATCH", f"{SECOND}books/{book.pk}/", {"name": "B"}).status_code == 403
    assert nobody.call("GET", f"{SECOND}books/").status_code == 403
    assert nobody.call("GET", f"{SECOND}books/{book.pk}/").status_code == 404
    for where in ("/api/v2/nothing/books/", f"/api/v3/{SLUG}/books/", f"{SECOND}branches/"):
        assert viewer.call("GET", where).status_code == 404


def test_keys_and_limits_are_counted_for_each(librarian: Any, library: Library) -> None:
    key, shelf = {"HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex}, str(library.north_shelf.pk)
    old = {"title": "A", "isbn": "1", "shelf": shelf}
    new = {"name": "B", "isbn": "2", "shelf": shelf}
    for where, body in ((FIRST, old), (SECOND, new), (FIRST, old)):
        assert librarian.call("POST", f"{where}books/", body, **key).status_code == 201
    assert Book.objects.count() == 2
    found = [librarian.call("GET", f"{where}books/") for where in (FIRST, FIRST, FIRST, SECOND)]
    assert [one.status_code for one in found] == [200, 200, 429, 200]


def test_one_document_describes_both() -> None:
    document = structure.valid_openapi(described())
    ids = [
        one["operationId"]
        for item in document["paths"].values()
        for method, one in item.items()
        if method != "parameters"
    ]
    assert len(ids) == len(set(ids))
    assert {f"{SLUG}_books_list", f"{SLUG}_v2_books_list"} <= set(ids)
    schemas = document["components"]["schemas"]
    first, second = schemas["ResourceTestappBook"], schemas["ResourceTestappV2SecondBook"]
    assert "title" in first["properties"]
    assert "name" in second["properties"]
    old, new = (document["paths"][f"{where}books/"]["get"] for where in (FIRST, SECOND))
    assert (old["deprecated"], old["x-sunset"]) == (True, "2027-06-01")
    assert "deprecated" not in new
    for one in RESOURCES:
        structure.check_openapi(ResourceSubject(SLUG, one), document)


def test_the_first_may_go_after_its_sunset_only() -> None:
    both = described()
    paths = {
        path: one for path, one in both["paths"].items() if not path.startswith(f"{FIRST}books")
    }
    for day, breaks in ((datetime.date(2027, 5, 1), True), (datetime.date(2027, 6, 1), False)):
        found = compare(both, {**both, "paths": paths}, today=day)
        assert any(one.breaking for one in found) is breaks
    assert not any(one.breaking for one in compare({**both, "paths": paths}, both))


def test_names_in_the_registry_and_of_addresses_tell_versions_apart() -> None:
    assert contribution_name(SLUG, "resources", Books) == f"{FIRST}books/"
    assert contribution_name(SLUG, "resources", SecondBooks) == f"{SECOND}books/"
    assert facts_of(SecondBooks)["api_version"] == 2
    assert "api_version" not in facts_of(Books)
    assert reverse(f"{SLUG}-v2:books-list") == f"{SECOND}books/"
    assert resolve(f"{SECOND}books/").route == f"{SECOND[1:]}books/"


@pytest.mark.parametrize("version", [0, -1, "2", 1.0, True, None, 10_000])
def test_what_is_no_version_does_not_start(version: Any) -> None:
    wrong = type("WrongResource", (BookResource,), {"api_version": version})
    with pytest.raises(TypeError, match="api_version"):
        check_resource(wrong)


@pytest.mark.parametrize(("version", "cls"), [(1, Books), (2, SecondBooks)])
def test_what_goes_on_in_the_background_is_of_the_version_that_was_asked(
    version: int, cls: type[Any], librarian: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = SimpleNamespace(of_plugin=lambda _slug, _hook: RESOURCES)
    monkeypatch.setattr(serving, "installed", lambda: registry)
    view = serving.resource_for(Actor(librarian.id, "user"), SLUG, "books", "view", version=version)
    assert type(view) is cls
