"""Routes that are no resources, and feature flags."""

from __future__ import annotations

from typing import Any

import pytest
from waffle.testutils import override_flag

from tests.core.resource.conftest import Library

pytestmark = pytest.mark.django_db


def test_a_route_answers_whom_its_access_names(
    anonymous: Any, client_of: Any, librarian: Any
) -> None:
    statuses = {
        path: [one.call("GET", path).status_code for one in (anonymous, client_of(), librarian)]
        for path in ("hello/", "signed-in/", "report/")
    }
    assert statuses == {
        "hello/": [200, 200, 200],
        "signed-in/": [401, 200, 200],
        "report/": [401, 403, 200],
    }


def test_a_route_knows_who_asks(anonymous: Any, librarian: Any) -> None:
    assert anonymous.call("GET", "hello/").json() == {"kind": "anonymous"}
    assert librarian.call("GET", "hello/").json() == {"kind": "user"}


@pytest.mark.parametrize("path", ["flagged/", "flagged-branches/"])
def test_what_is_behind_a_flag_is_not_there_while_it_is_off(librarian: Any, path: str) -> None:
    assert librarian.call("GET", path).status_code == 404
    with override_flag("resource_testapp.flagged", active=True):
        assert librarian.call("GET", path).status_code == 200
    with override_flag("resource_testapp.flagged", active=False):
        assert librarian.call("GET", path).status_code == 404


def test_an_operation_may_be_behind_a_flag_alone(librarian: Any, library: Library) -> None:
    path = f"books/{library.book().pk}/"
    assert librarian.call("POST", f"{path}reserve/").status_code == 404
    assert librarian.call("GET", path).status_code == 200
    with override_flag("resource_testapp.reserve", active=True):
        assert librarian.call("POST", f"{path}reserve/").status_code == 200
