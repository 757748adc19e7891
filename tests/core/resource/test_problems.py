"""Every refusal and failure is a problem, tells nothing it should not, and undoes what was written."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import psycopg
import pytest
from django.db import OperationalError
from django.test import override_settings

from tests.core.resource.conftest import ApiClient, Library, codes
from tests.core.resource.testapp.models import Book
from tests.core.resource.testapp.resources import BrokenResource

pytestmark = pytest.mark.django_db


def assert_problem(response: Any, status: int, code: str) -> None:
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:platform:problem:{code}"
    assert body["title"]
    assert body["request_id"]


@pytest.mark.parametrize(
    ("path", "extra", "status", "code"),
    [
        ("nowhere/", {}, 404, "not_found"),
        ("books/1/", {}, 404, "not_found"),
        ("/api/v9/", {}, 404, "not_found"),
        ("books/", {"HTTP_ACCEPT": "text/html"}, 406, "not_acceptable"),
        ("books/?x=1", {}, 422, "unknown_parameter"),
    ],
)
def test_reads_that_are_refused(
    librarian: Any, path: str, extra: dict[str, str], status: int, code: str
) -> None:
    assert_problem(librarian.call("GET", path, **extra), status, code)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html,*/*;q=0.8"])
def test_clients_that_take_json_get_it(librarian: Any, accept: str) -> None:
    assert librarian.call("GET", "books/", HTTP_ACCEPT=accept).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b'{"a": NaN}', "application/json", 400, "malformed_json"),
        (b"\xff", "application/json", 400, "malformed_json"),
        (b"[" * 2000, "application/json", 400, "malformed_json"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"a", "text/plain", 415, "unsupported_media_type"),
        (b"[]", "application/json", 422, "invalid"),
        (b'"x"', "application/json", 422, "invalid"),
        (b"null", "application/json", 422, "invalid"),
    ],
)
def test_bodies_that_are_refused(
    librarian: Any, body: bytes, kind: str, status: int, code: str
) -> None:
    response = librarian.generic("POST", "/api/v1/resource_testapp/books/", body, content_type=kind)
    assert_problem(response, status, code)


def test_a_body_that_is_announced_too_large_is_not_waited_for(librarian: Any) -> None:
    said = {"CONTENT_LENGTH": str(2**30)}
    assert_problem(librarian.call("POST", "branches/", {"name": "x"}, **said), 413, "too_large")


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10)
def test_a_body_that_is_too_large_is_refused(librarian: Any) -> None:
    assert_problem(librarian.call("POST", "branches/", {"name": "x" * 100}), 413, "too_large")


def test_a_domain_error_keeps_its_code_and_undoes_what_was_written(
    librarian: Any, library: Library
) -> None:
    book = library.book()
    response = librarian.call("POST", f"books/{book.pk}/steal/")
    assert_problem(response, 409, "no_theft")
    assert codes(response) == {"/title": "no_theft"}
    book.refresh_from_db()
    assert (book.title, book.history.count()) == ("A book", 1)


@pytest.mark.parametrize(
    ("values", "status", "expected"),
    [
        ({"isbn": "taken"}, 409, {"/isbn": "not_unique"}),
        ({"pages": 0}, 422, {"/pages": "constraint"}),
        ({"pages": 10**12}, 422, {"/pages": "max_value"}),
        ({"title": "x" * 101}, 422, {"/title": "max_length"}),
        ({"title": "\x00"}, 422, {"/title": "null_characters_not_allowed"}),
        ({"price": "1.234"}, 422, {"/price": "max_decimal_places"}),
        ({"grade": "z"}, 422, {"/grade": "invalid_choice"}),
        ({"published_on": "yesterday"}, 422, {"/published_on": "invalid"}),
    ],
)
def test_what_the_database_or_the_fields_refuse_names_the_field(
    librarian: Any,
    library: Library,
    values: dict[str, Any],
    status: int,
    expected: dict[str, str],
) -> None:
    library.book(isbn="taken")
    body = {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk), **values}
    response = librarian.call("POST", "books/", body)
    assert (response.status_code, codes(response)) == (status, expected)
    assert Book.objects.count() == 1


def test_an_unexpected_error_is_told_to_the_log_only(
    librarian: Any, caplog: pytest.LogCaptureFixture
) -> None:
    librarian.raise_request_exception = False
    with caplog.at_level(logging.ERROR, "platform_core.resource"):
        response = librarian.call("GET", "broken-branches/")
    assert_problem(response, 500, "internal_error")
    assert b"secret" not in response.content
    record = next(one for one in caplog.records if one.name == "platform_core.resource")
    assert record.plugin == "resource_testapp"  # type: ignore[attr-defined]
    assert record.request_id == response.json()["request_id"]  # type: ignore[attr-defined]
    assert "a secret detail" in caplog.text


@pytest.mark.parametrize("path", ["crash/", "/outside/crash/"])
def test_an_error_outside_a_resource_is_a_problem_too(source: Any, path: str) -> None:
    client = ApiClient(uuid.uuid4(), raise_request_exception=False)
    response = client.call("GET", path)
    assert_problem(response, 500, "internal_error")
    assert b"secret" not in response.content


@pytest.mark.parametrize("error", [OperationalError("host=x"), psycopg.OperationalError("host=x")])
def test_a_database_that_is_gone_is_503(
    librarian: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(self: object) -> None:
        raise error

    monkeypatch.setattr(BrokenResource, "visible", fail)
    response = librarian.call("GET", "broken-branches/")
    assert_problem(response, 503, "unavailable")
    assert response["Retry-After"] == "2"
    assert b"host" not in response.content


def test_a_handled_error_marks_a_surrounding_transaction(transactional_db: None) -> None:
    from django.db import transaction

    from platform_core.errors import Conflict
    from platform_core.resource import exception_handler
    from tests.core.resource.testapp.models import Branch

    class Request:
        request_id = "r"

    with transaction.atomic():
        Branch.objects.create(name="x")
        exception_handler(Conflict("no"), {"request": Request()})
    assert not Branch.objects.exists()
