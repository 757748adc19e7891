"""What the plugin contributes, as the deployment sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client
from waffle.models import Flag

from platform_core.contributions import FirstRunContext
from platform_core.registry import installed
from platform_education.demo import load_demo_data
from platform_education.models import School, Student
from platform_education.rules import CLASS_SECTIONS_FLAG, PERMISSIONS, ROLES
from platform_identity.testing import auth_header, grant, make_role, make_user

from .people import Person, with_role, without_role

pytestmark = pytest.mark.django_db


def contributed(hook: str) -> list[str]:
    return [one.name for one in installed().of_plugin("education", hook)]


def test_every_model_is_served() -> None:
    served = {one.model for one in installed().of_plugin("education", "resources")}
    own = {
        model
        for model in apps.get_app_config("education").get_models()
        if not model.__name__.startswith("Historical")
    }
    assert served == own


def test_permissions_roles_flags_and_importer_are_contributed() -> None:
    assert contributed("permissions") == [one.name for one in PERMISSIONS]
    assert contributed("roles") == ["education.viewer", "education.teacher", "education.registrar"]
    assert contributed("flags") == [CLASS_SECTIONS_FLAG]
    assert contributed("importers") == ["education"]
    assert contributed("first_run") == ["education.demo"]


def test_only_the_registrar_holds_demographics_and_import() -> None:
    held = {role.name: set(role.permissions) for role in ROLES}
    sensitive = {one.name for one in PERMISSIONS if "demographics" in one.name}
    sensitive.add("education.import_oneroster")
    assert sensitive <= held["education.registrar"]
    assert not sensitive & (held["education.viewer"] | held["education.teacher"])


def test_homerooms_can_be_switched_off(imported: Path) -> None:
    person = with_role("viewer", "school-0")
    names = ("class-sections/", "section-enrollments/", "homeroom-assignments/")
    assert {person.get(name).status_code for name in names} == {200}
    Flag.objects.filter(name=CLASS_SECTIONS_FLAG).update(everyone=False)
    Flag.objects.get(name=CLASS_SECTIONS_FLAG).flush()
    try:
        assert {person.get(name).status_code for name in names} == {404}
        assert person.get("course-offerings/").status_code == 200
    finally:
        Flag.objects.get(name=CLASS_SECTIONS_FLAG).flush()


def test_demo_data_is_loaded_once(tmp_path: Path) -> None:
    context = FirstRunContext(demo=True, data_dir=tmp_path)
    [line] = load_demo_data(context)
    assert "60 students" in line
    assert (School.objects.count(), Student.objects.count()) == (2, 60)
    assert load_demo_data(context) == ()
    assert Student.history.count() == 60


def test_the_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", "education", "--check", "--dry-run", verbosity=0)


def my_schools(person: Person) -> list[str]:
    answer = person.client.get("/api/v1/identity/me/", headers=person.headers).json()
    (section,) = [one for one in answer["sections"] if one["key"] == "education.schools"]
    return [one["name"] for one in section["data"]]


def test_the_profile_names_the_schools_where_one_has_a_role(imported: Path) -> None:
    school = School.objects.get(sourced_id="school-0")

    assert my_schools(with_role("viewer", "school-0")) == [school.name]
    assert my_schools(without_role()) == []


def test_the_profile_names_no_school_that_one_may_not_see(imported: Path) -> None:
    school = School.objects.get(sourced_id="school-0")
    user = make_user()
    grant(user, make_role("education.view_student"), school.unit)

    assert my_schools(Person(auth_header(user), Client(), user)) == []
