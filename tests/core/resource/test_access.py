"""Who gets which answer: 401 for nobody, 404 for the invisible, 403 for the visible but forbidden."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.core.resource.conftest import Library, codes

pytestmark = pytest.mark.django_db


def test_nobody_is_asked_to_sign_in(anonymous: Any, library: Library) -> None:
    book = library.book()
    calls = [("GET", "books/"), ("POST", "books/"), ("GET", f"books/{book.pk}/")]
    calls += [(verb, f"books/{book.pk}/") for verb in ("PUT", "PATCH", "DELETE")]
    calls += [("GET", f"books/{book.pk}/history/"), ("POST", f"books/{book.pk}/restore/")]
    for method, path in calls:
        response = anonymous.call(method, path)
        assert response.status_code == 401, (method, path)
        assert response["WWW-Authenticate"].startswith("Bearer")


def test_credentials_that_fail_are_not_taken_for_anonymous(anonymous: Any) -> None:
    response = anonymous.call("GET", "hello/", HTTP_X_TEST_ACTOR="bad")
    assert (response.status_code, response.json()["code"]) == (401, "authentication_failed")


def test_a_list_without_the_permission_is_forbidden_not_empty(client_of: Any) -> None:
    assert client_of().call("GET", "books/").status_code == 403


def test_a_list_shows_only_what_is_in_scope(client_of: Any, library: Library) -> None:
    library.book("Seen")
    library.book("Hidden", shelf=library.south_shelf)
    reader = client_of("view_book", units=[library.north.pk])
    assert [one["title"] for one in reader.call("GET", "books/").json()["data"]] == ["Seen"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_is_out_of_scope_does_not_exist(client_of: Any, library: Library, method: str) -> None:
    hidden = library.book(shelf=library.south_shelf)
    verbs = ("view_book", "change_book", "delete_book", "view_shelf")
    reader = client_of(*verbs, units=[library.north.pk])
    answers = [reader.call(method, f"books/{pk}/", {}) for pk in (hidden.pk, uuid.uuid4())]
    assert [one.status_code for one in answers] == [404, 404]
    bodies = [{**one.json(), "request_id": ""} for one in answers]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_what_is_visible_may_still_be_forbidden(
    client_of: Any, library: Library, method: str
) -> None:
    book = library.book()
    response = client_of("view_book").call(method, f"books/{book.pk}/", {"title": "x"})
    assert response.status_code == 403
    book.refresh_from_db()
    assert (book.title, book.deleted_at) == ("A book", None)


def test_change_of_one_branch_does_not_reach_another_that_is_visible(
    client_of: Any, source: Any, library: Library
) -> None:
    south = library.book(shelf=library.south_shelf)
    editor = client_of("view_book")
    source.grant(editor.id, "change_book", units=[library.north.pk])
    assert editor.call("PATCH", f"books/{south.pk}/", {"title": "x"}).status_code == 403


def test_a_permission_that_nobody_registered_is_denied(librarian: Any, library: Library) -> None:
    from platform_core.access import PermissionRegistry, using_permissions

    with using_permissions(PermissionRegistry()):
        assert librarian.call("GET", "books/").status_code == 403
        assert librarian.call("GET", f"books/{library.book().pk}/").status_code == 404


def test_history_is_decided_like_the_object(client_of: Any, library: Library) -> None:
    north, south = library.book(), library.book(shelf=library.south_shelf)
    reader = client_of("view_book", units=[library.north.pk])
    assert reader.call("GET", f"books/{north.pk}/history/").status_code == 200
    assert reader.call("GET", f"books/{south.pk}/history/").status_code == 404


def test_a_related_row_out_of_scope_does_not_exist(client_of: Any, library: Library) -> None:
    author = client_of("view_shelf", "view_book", "add_book", units=[library.north.pk])
    answers = []
    for shelf in (library.south_shelf.pk, uuid.uuid4()):
        body = {"title": "T", "isbn": "1", "shelf": str(shelf)}
        answers.append(author.call("POST", "books/", body))
    assert [one.status_code for one in answers] == [422, 422]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]
    assert codes(answers[0]) == {"/shelf": "does_not_exist"}


def test_the_present_related_row_may_be_sent_back_unseen(client_of: Any, library: Library) -> None:
    book = library.book()
    editor = client_of("view_book", "change_book")
    body = editor.call("GET", f"books/{book.pk}/").json()
    response = editor.call("PUT", f"books/{book.pk}/", {**body, "title": "New"})
    assert (response.status_code, response.json()["title"]) == (200, "New")


def test_adding_out_of_scope_is_forbidden(client_of: Any, source: Any, library: Library) -> None:
    author = client_of("add_book", units=[library.north.pk])
    source.grant(author.id, "view_shelf")
    body = {"title": "T", "isbn": "1", "shelf": str(library.south_shelf.pk)}
    assert author.call("POST", "books/", body).status_code == 403
    body["shelf"] = str(library.north_shelf.pk)
    assert author.call("POST", "books/", body).status_code == 201


def test_moving_a_row_out_of_scope_is_undone(client_of: Any, source: Any, library: Library) -> None:
    book = library.book()
    editor = client_of("view_book", "change_book", units=[library.north.pk])
    source.grant(editor.id, "view_shelf")
    body = {"shelf": str(library.south_shelf.pk), "title": "Moved"}
    assert editor.call("PATCH", f"books/{book.pk}/", body).status_code == 403
    book.refresh_from_db()
    assert (book.shelf_id, book.title, book.version) == (library.north_shelf.pk, "A book", 1)
    assert book.history.count() == 1


def test_a_change_that_the_rule_forbids_afterwards_is_undone(
    librarian: Any, library: Library
) -> None:
    path = f"shelves/{library.north_shelf.pk}/"
    assert librarian.call("PATCH", path, {"name": "closed"}).status_code == 403
    assert librarian.call("GET", path).json()["name"] == "N1"


def test_an_operation_is_decided_by_its_own_action(client_of: Any, library: Library) -> None:
    book = library.book()
    path = f"books/{book.pk}/take-back/"
    assert client_of("view_book").call("POST", path).status_code == 403
    assert client_of("change_book").call("POST", path).status_code == 404
    assert client_of("view_book", "change_book").call("POST", path).status_code == 200
