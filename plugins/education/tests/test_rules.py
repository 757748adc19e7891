"""The property gate over every rule of the plugin: lists show exactly what single decisions allow."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps

from platform_core.access import ANONYMOUS, Actor, system_actor
from platform_core.testing.rule_gate import check_rule
from platform_education.models import Organisation, School, Student
from platform_education.rules import PERMISSIONS
from platform_identity.testing import actor_for, grant, make_role, make_user

pytestmark = pytest.mark.django_db
ABOUT_ROWS = [one for one in PERMISSIONS if one.model]


def actors() -> list[Actor]:
    role = make_role(*(one.name for one in PERMISSIONS))
    school = School.objects.get(sourced_id="school-0")
    people = [make_user() for _number in range(5)]
    grant(people[0], role)
    grant(people[1], role, school.unit)
    grant(people[2], role, Organisation.objects.get().unit)
    grant(people[3], role, Student.objects.earliest("id"))
    return [ANONYMOUS, system_actor(), *map(actor_for, people)]


def test_lists_and_decisions_agree_for_every_rule(imported: Path) -> None:
    School.objects.filter(sourced_id="school-1").update(unit=None)
    everybody = actors()
    for permission in ABOUT_ROWS:
        model = apps.get_model(permission.model)
        keys = model.all_objects.order_by("id").values("pk")[:10]
        check_rule(permission.rule, model, everybody, model.all_objects.filter(pk__in=keys))


def test_what_schools_share_is_seen_by_whoever_holds_it_somewhere(imported: Path) -> None:
    shared = next(one for one in PERMISSIONS if one.name == "education.view_term")
    _nobody, _system, everywhere, below, *_rest, without = actors()
    for actor, outcome in ((everywhere, True), (below, True), (without, False), (ANONYMOUS, False)):
        assert shared.rule.test(actor, None, model=apps.get_model(shared.model)) is outcome
