"""A deletion that other rows forbid answers 409 with plugin, table, count and way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import RESTRICT

from tests.core.resource.conftest import ApiClient, make_library
from tests.core.resource.testapp.models import Branch, Shelf
from tests.core.resource.testapp.resources import BranchResource


@pytest.fixture
def ghosts(transactional_db: None) -> Iterator[Branch]:
    """A branch that a table refers to which no model knows; the reference is checked at the commit only."""
    branch = make_library().north
    branch.shelf_set.all()[0].hard_delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE ghosts_loan (id int, branch_id uuid "
            "REFERENCES resource_testapp_branch DEFERRABLE INITIALLY DEFERRED)"
        )
        cursor.execute("INSERT INTO ghosts_loan VALUES (1, %s), (2, %s)", [branch.pk, branch.pk])
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('ghosts', '0001', now())"
        )
    yield branch
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE ghosts_loan")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'ghosts'")


def hard(self: Any, obj: Branch) -> None:
    obj.hard_delete()


def past_the_model(self: Any, obj: Branch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM resource_testapp_branch WHERE id = %s", [obj.pk])


@pytest.mark.parametrize("delete", [hard, past_the_model])
def test_the_problem_names_the_missing_plugin(
    delete: Callable[..., None],
    ghosts: Branch,
    client_of: Callable[..., ApiClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BranchResource, "delete_object", delete)  # what a plugin may override
    client = client_of("view_branch", "delete_branch")

    response = client.call("DELETE", f"branches/{ghosts.pk}/")

    assert response.status_code == 409, response.content
    assert response.json()["code"] == "in_use"
    (found,) = response.json()["referrers"]
    assert (found["plugin"], found["table"], found["count"]) == ("ghosts", "ghosts_loan", 2)
    assert "platformctl plugin uninstall ghosts" in found["way_out"]
    assert Branch.objects.filter(pk=ghosts.pk).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("restricted", [False, True])
def test_what_django_protects_is_a_conflict_too(
    restricted: bool,
    client_of: Callable[..., ApiClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    branch = make_library().north
    if restricted:
        monkeypatch.setattr(Shelf._meta.get_field("branch").remote_field, "on_delete", RESTRICT)
    monkeypatch.setattr(BranchResource, "delete_object", hard)
    client = client_of("view_branch", "delete_branch")

    response = client.call("DELETE", f"branches/{branch.pk}/")

    assert response.status_code == 409, response.content
    assert response.json()["code"] == "in_use"
    (found,) = response.json()["referrers"]
    assert (found["model"], found["count"]) == ("resource_testapp.Shelf", 1)
    assert found["way_out"] == "Delete or change those first."
    assert Branch.objects.filter(pk=branch.pk).exists()
