"""SQL that was compiled for one actor shows every other actor exactly their own rows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from platform_core.access import (
    Actor,
    Always,
    Grant,
    Granted,
    Never,
    PermissionRegistry,
    Rule,
    SignedIn,
    Where,
    actor,
    model_permissions,
    scope,
    using_permissions,
)
from platform_core.contributions import Permission
from platform_core.prepared import fetch_prepared
from platform_core.resource import statements
from platform_core.resource.statements import prepared_statement
from tests.core.resource.conftest import ApiClient, Library
from tests.core.resource.testapp.grants import MemoryGrantSource
from tests.core.resource.testapp.models import Book, Branch, Shelf

pytestmark = pytest.mark.django_db

VIEW = "resource_testapp.view_book"
OTHER = "resource_testapp.change_book"
RULES: dict[str, Rule] = {
    "granted": Granted(VIEW),
    "own": Where("sequel_to", actor),
    "granted or own": Granted(VIEW) | Where("sequel_to", actor),
    "granted but not own": Granted(VIEW) & ~Where("sequel_to", actor),
    "two grants": Granted(VIEW) | Granted(OTHER),
    "one grant without the other": Granted(VIEW) & ~Granted(OTHER),
    "constants": Granted(VIEW) & Where("pages", [1, 2], "in"),
    "signed in": SignedIn() & Where("sequel_to", True, "isnull"),
    "everybody": Always(),
    "nobody": Never(),
}


@pytest.fixture(autouse=True)
def _nothing_prepared() -> Iterator[None]:
    statements._statements.clear()
    yield
    statements._statements.clear()


class Asking(MemoryGrantSource):
    """Looks units up before it answers, so that its condition is about those of one actor."""

    def within(self, units: frozenset[uuid.UUID], prefix: str) -> Q:
        return Q((f"{prefix}__in", list(Branch.objects.filter(pk__in=units).values_list("pk"))))


class Quoting(MemoryGrantSource):
    """Passes the units on in a form that is not recognised."""

    def within(self, units: frozenset[uuid.UUID], prefix: str) -> Q:
        return Q((f"{prefix}__name__in", [f"branch {one}" for one in units])) | Q(
            (f"{prefix}__in", list(units))
        )


class OwnRule(Granted):
    """A plugin's own leaf, which may depend on anything."""


def installed(rule: Rule, source: MemoryGrantSource) -> Any:
    others = model_permissions("resource_testapp.Book", verbs=("change",))
    view = Permission(name=VIEW, title="View", rule=rule, model="resource_testapp.Book")
    return using_permissions(PermissionRegistry([view, *others], source))


def seen(who: Actor) -> list[Any] | None:
    """Return the ids by a prepared statement, or None where there is none."""
    found = prepared_statement(
        who,
        VIEW,
        "ids",
        lambda one: scope(one, VIEW, Book.objects.order_by("pk")).values_list("pk"),
    )
    return None if found is None else [row[0] for row in fetch_prepared(*found, using="default")]


def rows(who: Actor) -> list[Any]:
    return list(scope(who, VIEW, Book.objects.order_by("pk")).values_list("pk", flat=True))


def make_books(library: Library, *sequels_to: Any) -> None:
    east = Shelf.objects.create(branch=Branch.objects.create(name="East"), name="east")
    for shelf in (library.north_shelf, library.south_shelf, east):
        for pages in (1, 3):
            for first in (None, *sequels_to):
                library.book(shelf=shelf, pages=pages, sequel_to=first)


def actors_of(library: Library, source: MemoryGrantSource) -> list[Actor]:
    """Return actors that hold different things in different places, twice of each sort."""
    nowhere = uuid.uuid4()
    north, south = library.north.pk, library.south.pk
    held: list[list[tuple[str, dict[str, Any]]]] = [
        [],
        [("view_book", {})],
        [("view_book", {"units": [north]})],
        [("view_book", {"units": [south]})],
        [("view_book", {"units": [nowhere]})],
        [("view_book", {"units": [north, south]})],
        [("view_book", {"units": [south, nowhere]})],
        [("view_book", {"units": [north]}), ("change_book", {"units": [south]})],
        [("view_book", {"units": [south]}), ("change_book", {"units": [north]})],
        [("view_book", {}), ("change_book", {"units": [south]})],
        [("change_book", {"units": [south]})],
    ]
    found = []
    for grants in held:
        who = Actor(library.book().pk, "user")
        for permission, where in grants:
            source.grant(who.id or uuid.uuid4(), permission, **where)
        found.append(who)
    return [*found, Actor(None, "anonymous"), Actor(None, "system")]


@pytest.mark.parametrize("name", RULES)
def test_every_actor_sees_the_rows_of_the_rule(library: Library, name: str) -> None:
    source = MemoryGrantSource()
    actors = actors_of(library, source)
    make_books(library, *Book.objects.filter(pk__in=[one.id for one in actors[2:4]]))
    with installed(RULES[name], source):
        answers = [(seen(who), rows(who)) for who in [*actors, *reversed(actors)]]
    assert all(prepared in (None, expected) for prepared, expected in answers)
    assert any(prepared for prepared, _expected in answers) is (name != "nobody")


def test_the_next_actor_needs_no_sql_compiled(library: Library, source: MemoryGrantSource) -> None:
    make_books(library)
    first, second = Actor(uuid.uuid4(), "user"), Actor(uuid.uuid4(), "user")
    source.grant(first.id or uuid.uuid4(), "view_book", units=[library.north.pk])
    source.grant(second.id or uuid.uuid4(), "view_book", units=[library.south.pk])
    assert seen(first) == rows(first)

    def build(one: Actor) -> Any:
        raise AssertionError("the statement was there already")

    found = prepared_statement(second, VIEW, "ids", build)
    assert found is not None
    assert [row[0] for row in fetch_prepared(*found, using="default")] == rows(second) != []


@pytest.mark.parametrize("sort", [Asking, Quoting])
def test_a_source_whose_conditions_are_about_one_actor_is_not_prepared(
    library: Library, sort: type[MemoryGrantSource]
) -> None:
    source = sort()
    who = Actor(uuid.uuid4(), "user")
    source.grant(who.id or uuid.uuid4(), "view_book", units=[library.north.pk])
    with installed(Granted(VIEW), source):
        assert seen(who) is None


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        (OwnRule(VIEW), {}),
        (Granted(VIEW), {"objects": [uuid.uuid4()]}),
        (Granted(VIEW), {"units": [uuid.uuid4() for _ in range(33)]}),
    ],
)
def test_what_may_take_any_form_is_not_prepared(
    db: None, rule: Rule, where: dict[str, Any]
) -> None:
    source = MemoryGrantSource()
    who = Actor(uuid.uuid4(), "user")
    source.grant(who.id or uuid.uuid4(), "view_book", **where)
    with installed(rule, source):
        assert seen(who) is None


def test_an_unknown_permission_is_not_prepared(db: None) -> None:
    with using_permissions(PermissionRegistry()):
        assert seen(Actor(uuid.uuid4(), "user")) is None


def test_statements_are_forgotten_when_there_are_too_many(
    library: Library, source: MemoryGrantSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "_MOST_STATEMENTS", 2)
    who = Actor(uuid.uuid4(), "user")
    source.grant(who.id or uuid.uuid4(), "view_book")
    for key in range(5):
        prepared_statement(who, VIEW, key, lambda one: scope(one, VIEW, Book.objects.all()))
    assert 0 < len(statements._statements) <= 2


def test_a_grant_that_ends_ends_on_the_next_request(
    library: Library, source: MemoryGrantSource, client_of: Callable[..., ApiClient]
) -> None:
    make_books(library)
    viewer = client_of("view_book", units=[library.north.pk])
    assert len(viewer.call("GET", "books/").json()["data"]) == 2
    assert viewer.id is not None
    source.held[viewer.id] = {VIEW: Grant(units=frozenset({library.south.pk, uuid.uuid4()}))}
    shown = viewer.call("GET", "books/").json()["data"]
    assert {one["shelf"] for one in shown} == {str(library.south_shelf.pk)}
    source.held[viewer.id] = {}
    assert viewer.call("GET", "books/").status_code == 403


def test_pages_of_two_actors_do_not_mix(
    library: Library, client_of: Callable[..., ApiClient]
) -> None:
    make_books(library, library.book(), library.book())
    clients = {
        shelf: client_of("view_book", units=[shelf.branch_id])
        for shelf in (library.north_shelf, library.south_shelf)
    }
    for _ in range(2):
        for shelf, client in clients.items():
            answer = client.call("GET", "books/?limit=2").json()
            shown = list(answer["data"])
            while answer["next"]:
                answer = client.call("GET", answer["next"].removeprefix("http://testserver")).json()
                shown += answer["data"]
            expected = Book.objects.filter(shelf=shelf).count()
            assert len({one["id"] for one in shown}) == len(shown) == expected > 2
            assert {one["shelf"] for one in shown} == {str(shelf.pk)}


def test_a_prepared_list_asks_once(library: Library, client_of: Callable[..., ApiClient]) -> None:
    make_books(library)
    viewer = client_of("view_book", units=[library.north.pk])
    for _ in range(2):
        with CaptureQueriesContext(connection) as asked:
            viewer.call("GET", "books/")
        assert len(asked) == 1
