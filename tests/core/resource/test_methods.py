"""HEAD is GET without a body, OPTIONS says what an address can do, and neither tells of rows."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from waffle.testutils import override_flag

from tests.core.resource.conftest import Library


def test_head_is_get_without_its_body(librarian: Any, library: Library) -> None:
    book = library.book()
    for path in ("books/?limit=1", f"books/{book.pk}/"):
        got, headed = (librarian.call(method, path) for method in ("GET", "HEAD"))
        assert (headed.status_code, headed.content) == (got.status_code, b"")
        for name in ("ETag", "Content-Length", "Content-Type", "Link"):
            assert headed.get(name) == got.get(name), name
    same = {"HTTP_IF_NONE_MATCH": librarian.call("HEAD", f"books/{book.pk}/")["ETag"]}
    assert librarian.call("HEAD", f"books/{book.pk}/", **same).status_code == 304
    assert librarian.call("HEAD", f"books/{uuid.uuid4()}/").status_code == 404


def test_head_is_refused_as_get_is(anonymous: Any, client_of: Any, library: Library) -> None:
    assert anonymous.call("HEAD", "books/").status_code == 401
    assert client_of("view_shelf").call("HEAD", "books/").status_code == 403


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("books/", "GET, HEAD, OPTIONS, POST"),
        ("books/{id}/", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("books/{id}/lend/", "OPTIONS, POST"),
        ("books/bulk/create/", "OPTIONS, POST"),
    ],
)
def test_options_says_what_the_address_can_do(
    anonymous: Any, library: Library, path: str, allowed: str
) -> None:
    for key in (library.book().pk, uuid.uuid4()):  # whether or not there is such a row
        answer = anonymous.call("OPTIONS", path.format(id=key))
        assert (answer.status_code, answer["Allow"], answer.content) == (204, allowed, b"")


@pytest.mark.django_db
def test_options_of_what_is_off_is_not_there(anonymous: Any) -> None:
    row = uuid.uuid4()
    for path, flag in (
        ("flagged-branches/", "resource_testapp.flagged"),
        (f"books/{row}/reserve/", "resource_testapp.reserve"),
    ):
        assert anonymous.call("OPTIONS", path).status_code == 404
        with override_flag(flag, active=True):
            assert anonymous.call("OPTIONS", path).status_code == 204
    assert anonymous.call("OPTIONS", "nowhere/").status_code == 404
