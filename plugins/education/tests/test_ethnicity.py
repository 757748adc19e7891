"""The ethnicity of students: a part of their demographics that asks for permissions of its own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from platform_education.models import StudentDemographics
from platform_education.rules import CHANGE_ETHNICITY, VIEW_ETHNICITY
from platform_identity.models import Role
from platform_identity.testing import make_role

from .people import with_permissions, with_role

pytestmark = pytest.mark.django_db
DEMOGRAPHICS = tuple(
    f"education.{verb}_studentdemographics" for verb in ("view", "add", "change", "delete")
)
ETHNICITY = {"asian", "white", "two_or_more_races", "hispanic_or_latino_ethnicity"}
SEEN = ("education.view_student", "education.view_school")


def test_who_keeps_the_records_sees_and_sets_all_of_it(imported: Path) -> None:
    registrar = with_role("registrar", "school-0")
    record = registrar.get("student-demographics/").json()["data"][0]
    assert record.keys() >= ETHNICITY
    changed = registrar.patch(f"student-demographics/{record['id']}/", {"asian": True})
    assert changed.json()["asian"] is True


def test_without_the_permission_the_rest_of_the_record_is_there(imported: Path) -> None:
    person = with_permissions(*DEMOGRAPHICS, *SEEN)
    record = person.get("student-demographics/").json()["data"][0]
    assert not ETHNICITY & record.keys()
    assert {"birth_date", "sex", "city_of_birth"} <= record.keys()
    where = f"student-demographics/{record['id']}/"
    StudentDemographics.objects.filter(pk=record["id"]).update(asian=True)
    assert person.get(where, fields="asian").status_code == 422
    refused = person.patch(where, {"asian": True})
    assert refused.json()["errors"][0]["code"] == "read_only"
    kept = person.get(where).json()
    assert person.put(where, {**kept, "city_of_birth": "Lyon"}).status_code == 200
    assert StudentDemographics.objects.get(pk=record["id"]).asian is True


def test_who_sees_it_need_not_be_able_to_set_it(imported: Path) -> None:
    person = with_permissions(*DEMOGRAPHICS, *SEEN, VIEW_ETHNICITY)
    record = person.get("student-demographics/").json()["data"][0]
    assert record.keys() >= ETHNICITY
    where = f"student-demographics/{record['id']}/"
    assert person.patch(where, {"asian": record["asian"]}).status_code == 200
    assert person.patch(where, {"asian": not record["asian"]}).status_code == 422


def test_roles_that_an_admin_made_keep_what_they_held() -> None:
    reading, writing = make_role(DEMOGRAPHICS[0]), make_role(*DEMOGRAPHICS)
    other = make_role("education.view_student")
    state: Any = MigrationExecutor(connection).loader.project_state([("education", "0001_initial")])
    migration = import_module("platform_education.migrations.0002_ethnicity_of_students")
    for _ in range(2):  # whoever holds it already is left alone
        migration.keep_what_is_held(state.apps, SimpleNamespace(connection=connection))
    held = dict(Role.objects.values_list("pk", "permissions"))
    assert set(held[reading.pk]) == {DEMOGRAPHICS[0], VIEW_ETHNICITY}
    assert set(held[writing.pk]) == {*DEMOGRAPHICS, VIEW_ETHNICITY, CHANGE_ETHNICITY}
    assert held[other.pk] == ["education.view_student"]
    entries = Role.history.filter(id=reading.pk).order_by("history_id")
    assert [(one.version, one.history_type) for one in entries] == [(1, "+"), (2, "~")]
    assert VIEW_ETHNICITY in entries[1].permissions
