"""Creating, changing, deleting and restoring through the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.core.resource.conftest import Library, codes
from tests.core.resource.testapp.models import Book

pytestmark = pytest.mark.django_db


def body_for(library: Library, **values: Any) -> dict[str, Any]:
    return {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk), **values}


def test_creating_answers_the_object_and_its_place(librarian: Any, library: Library) -> None:
    response = librarian.call("POST", "books/", body_for(library, price="1.50"))
    assert response.status_code == 201
    assert librarian.call("GET", response["Location"]).json() == response.json()
    assert response.json()["price"] == "1.50"


def test_what_was_read_can_be_put_back(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    body = librarian.call("GET", path).json()
    response = librarian.call("PUT", path, body)
    assert response.status_code == 200
    assert {**response.json(), "updated_at": "", "version": 0} == {
        **body,
        "updated_at": "",
        "version": 0,
    }


def test_put_needs_every_field_and_patch_does_not(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    assert codes(librarian.call("PUT", path, {"title": "New"})) == {
        "/shelf": "required",
        "/isbn": "required",
    }
    assert librarian.call("PATCH", path, {"title": "New"}).json()["title"] == "New"


def test_unknown_and_read_only_fields_are_refused_with_the_rest(
    librarian: Any, library: Library
) -> None:
    body = body_for(library, secret="x", is_lent=True, pages="many", version=1)
    assert codes(librarian.call("POST", "books/", body)) == {
        "/secret": "unknown_field",
        "/is_lent": "read_only",
        "/version": "read_only",
        "/pages": "invalid",
    }


def test_what_is_wrong_is_not_told_without_end(librarian: Any, library: Library) -> None:
    wrong = {f"field-{number}": 1 for number in range(1_000)}
    for method, path, body in (
        ("POST", "books/", {**body_for(library), **wrong}),
        ("PATCH", f"books/{library.book().pk}/", wrong),
    ):
        answer = librarian.call(method, path, body)
        assert answer.status_code == 422
        assert len(answer.json()["errors"]) == 200


def test_a_read_only_field_may_only_repeat_its_value(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    assert librarian.call("PATCH", path, {"version": 1}).status_code == 200
    assert codes(librarian.call("PATCH", path, {"version": 1})) == {"/version": "read_only"}


@pytest.mark.parametrize("value", [1, True, "x", [], {}, "\x00", None])
def test_a_reference_that_is_no_id_is_refused(
    librarian: Any, library: Library, value: object
) -> None:
    response = librarian.call("POST", "books/", body_for(library, shelf=value))
    assert response.status_code == 422
    assert set(codes(response)) == {"/shelf"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"1e22", "out_of_range"),
        (b"[-1e300]", "out_of_range"),
        (b'{"a": [[18446744073709551615]]}', "out_of_range"),
        (b"[" * 102 + b"]" * 102, "too_deep"),
        (b'{"a":' * 1000 + b"1" + b"}" * 1000, "too_deep"),
        (b"[" * 101 + b"]" * 101, None),
        (b"[9223372036854775807, -9223372036854775808, 1e18, 1e-320]", None),
    ],
)
def test_what_could_never_be_shown_again_is_not_kept(
    librarian: Any, data: bytes, code: str | None
) -> None:
    answer = librarian.call("POST", "samples/", b'{"data":' + data + b"}")
    assert codes(answer) == ({} if code is None else {"/data": code})
    assert len(librarian.call("GET", "samples/").json()["data"]) == (code is None)


def test_deleting_is_soft_and_hides_the_row(librarian: Any, library: Library) -> None:
    book = library.book()
    path = f"books/{book.pk}/"
    assert librarian.call("DELETE", path).status_code == 204
    assert librarian.call("GET", path).status_code == 404
    assert librarian.call("DELETE", path).status_code == 404
    assert Book.all_objects.get(pk=book.pk).deleted_at is not None


def test_deleting_what_others_refer_to_names_them(librarian: Any, library: Library) -> None:
    library.book()
    response = librarian.call("DELETE", f"shelves/{library.north_shelf.pk}/")
    assert response.status_code == 409
    assert response.json()["referrers"]
    assert "book" in str(response.json()["referrers"]).lower()
    assert librarian.call("GET", f"shelves/{library.north_shelf.pk}/").status_code == 200


def test_restoring_brings_the_row_back(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    librarian.call("DELETE", path)
    assert librarian.call("POST", f"{path}restore/").status_code == 200
    assert librarian.call("GET", path).status_code == 200


def test_only_deleted_rows_in_scope_can_be_restored(
    client_of: Any, librarian: Any, library: Library
) -> None:
    alive = library.book()
    hidden = library.book(shelf=library.south_shelf)
    seen = library.book()
    for book in (hidden, seen):
        librarian.call("DELETE", f"books/{book.pk}/")
    restorer = client_of("view_book", "restore_book", units=[library.north.pk])
    answers = {
        book.pk: restorer.call("POST", f"books/{book.pk}/restore/").status_code
        for book in (alive, hidden, seen)
    }
    assert answers == {alive.pk: 404, hidden.pk: 404, seen.pk: 200}
    reader = client_of("view_book")
    assert reader.call("POST", f"books/{hidden.pk}/restore/").status_code == 403


def test_restoring_into_a_taken_value_is_a_conflict(librarian: Any, library: Library) -> None:
    path = f"books/{library.book(isbn='same').pk}/"
    librarian.call("DELETE", path)
    library.book(isbn="same")
    response = librarian.call("POST", f"{path}restore/")
    assert (response.status_code, response.json()["code"]) == (409, "restore_conflict")


def test_an_operation_shows_the_object_as_it_now_is(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    response = librarian.call("POST", f"{path}lend/", {"reader": "Ada"})
    assert (response.status_code, response.json()["is_lent"]) == (200, True)
    assert response.json() == librarian.call("GET", path).json()


def test_an_operation_may_answer_something_else(librarian: Any, library: Library) -> None:
    book = library.book()
    response = librarian.call("POST", f"books/{book.pk}/take-back/")
    assert response.json() == {"taken_back": str(book.pk)}


def test_an_operation_that_is_not_possible_now_says_why(librarian: Any, library: Library) -> None:
    book = library.book(is_lent=True)
    response = librarian.call("POST", f"books/{book.pk}/lend/", {"reader": "Ada"})
    assert response.status_code == 409
    assert (response.json()["code"], response.json()["detail"]) == ("not_possible", "It is lent.")


def test_the_input_of_an_operation_is_validated(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    assert codes(librarian.call("POST", f"{path}lend/", {})) == {"/reader": "required"}
    response = librarian.call("POST", f"{path}take-back/", {"x": 1})
    assert codes(response) == {"": "unexpected_body"}


def test_an_operation_refuses_what_its_input_does_not_know(
    librarian: Any, library: Library
) -> None:
    book = library.book()
    body = {"reader": "Ada", "raeder": "Bob"}
    answer = librarian.call("POST", f"books/{book.pk}/lend/", body)
    assert codes(answer) == {"/raeder": "unknown_field"}
    answer = librarian.call("POST", f"books/{book.pk}/lend/", {"raeder": "Bob"})
    assert codes(answer) == {"/reader": "required", "/raeder": "unknown_field"}
    items = {"items": [{"id": str(book.pk), **body}]}
    result = librarian.call("POST", "books/bulk/lend/", items).json()["results"][0]
    assert (result["status"], result["problem"]["errors"][0]["pointer"]) == (422, "/raeder")
    book.refresh_from_db()
    assert not book.is_lent


def test_restoring_and_going_back_refuse_what_they_do_not_know(
    librarian: Any, library: Library
) -> None:
    path = f"books/{library.book().pk}/"
    answer = librarian.call("POST", f"{path}history/1/restore/", {"raeson": "typing mistake"})
    assert codes(answer) == {"/raeson": "unknown_field"}
    librarian.call("DELETE", path)
    assert codes(librarian.call("POST", f"{path}restore/", {"reason": "x"})) == {
        "": "unexpected_body"
    }
    assert librarian.call("GET", path).status_code == 404


def test_a_write_takes_no_query_parameter(librarian: Any, library: Library) -> None:
    response = librarian.call("POST", "books/?force=1", body_for(library))
    assert codes(response) == {"force": "unknown_parameter"}
    assert not Book.objects.exists()


def test_every_verb_without_a_route_is_405(librarian: Any) -> None:
    response = librarian.call("PUT", "books/", {})
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")


def test_an_action_that_is_not_exposed_has_no_route(librarian: Any) -> None:
    assert librarian.call("POST", "broken-branches/", {}).status_code == 405
    assert librarian.call("GET", f"broken-branches/{uuid.uuid4()}/").status_code == 404


def test_head_answers_without_a_body(librarian: Any, library: Library) -> None:
    response = librarian.call("HEAD", "books/")
    assert (response.status_code, response.content) == (200, b"")
