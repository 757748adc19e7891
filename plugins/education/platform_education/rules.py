"""The permissions of education, the rules that decide them, the default roles and the flag."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

from platform_core.access import Always, Granted, Never, Rule, model_permissions
from platform_core.access.permissions import STANDARD_VERBS
from platform_core.contributions import Flag, Permission, Role

if TYPE_CHECKING:
    from django.db.models import Model, Q

    from platform_core.access import Actor


class GrantedAnywhere(Granted):
    """Holds on every row for an actor who was granted the permission in any scope.

    For what schools share and nobody owns: calendars and catalogues, which people of one school need to read.
    """

    def outcome(self, actor: Actor, obj: Model | None, model: type[Model] | None) -> bool:
        """Tell whether the permission was granted in any scope."""
        return actor.grants.holds(self.permission)

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        """Return every row or none."""
        everybody: Rule = Always() if actor.grants.holds(self.permission) else Never()
        return everybody.q(actor, model)

    def needs_object(self, model: type[Model] | None) -> bool:
        """Tell that no row matters."""
        return False

    def may_hold(self, actor: Actor, model: type[Model] | None) -> bool:
        """Tell whether the permission was granted in any scope."""
        return actor.grants.holds(self.permission)


IMPORT: Final = "education.import_oneroster"
WITHDRAW_COURSE_ENROLLMENT: Final = "education.withdraw_courseenrollment"
WITHDRAW_SECTION_ENROLLMENT: Final = "education.withdraw_sectionenrollment"
VIEW_ETHNICITY: Final = "education.view_student_ethnicity"
CHANGE_ETHNICITY: Final = "education.change_student_ethnicity"
CLASS_SECTIONS_FLAG: Final = "education.class_sections"

_SHARED: Final = ("AcademicYear", "Term", "Course")
_OF_UNITS: Final = (
    "Organisation",
    "School",
    "CourseOffering",
    "CourseOfferingTerm",
    "ClassSection",
    "Student",
    "Teacher",
    "CourseEnrollment",
    "SectionEnrollment",
    "TeachingAssignment",
    "HomeroomAssignment",
)
_SENSITIVE: Final = ("StudentDemographics",)


def _permissions_of(
    models: Sequence[str], verbs: Sequence[str], rule: Callable[[str], Rule] = Granted
) -> tuple[Permission, ...]:
    return tuple(
        permission
        for model in models
        for permission in model_permissions(f"education.{model}", verbs=verbs, rule=rule)
    )


def _names(models: Sequence[str], verbs: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"education.{verb}_{model.lower()}" for model in models for verb in verbs)


_WRITING: Final = tuple(verb for verb in STANDARD_VERBS if verb != "view")

_EXCHANGED: Final = ("School", "Student", "CourseEnrollment", "SectionEnrollment")
"""What is taken out as a file and brought in by one, within the unit that a grant is about; courses are shared."""

PERMISSIONS: Final = (
    *_permissions_of(_SHARED, ("view",), GrantedAnywhere),
    *_permissions_of(_SHARED, _WRITING),
    *_permissions_of((*_OF_UNITS, *_SENSITIVE), STANDARD_VERBS),
    *_permissions_of(("Course",), ("export",), GrantedAnywhere),
    *_permissions_of(("Course",), ("import",)),
    *_permissions_of(_EXCHANGED, ("export", "import")),
    Permission(
        name=WITHDRAW_COURSE_ENROLLMENT,
        title=_("Withdraw students from course offerings"),
        rule=Granted(WITHDRAW_COURSE_ENROLLMENT),
        model="education.CourseEnrollment",
    ),
    Permission(
        name=WITHDRAW_SECTION_ENROLLMENT,
        title=_("Withdraw students from homerooms"),
        rule=Granted(WITHDRAW_SECTION_ENROLLMENT),
        model="education.SectionEnrollment",
    ),
    Permission(
        name=VIEW_ETHNICITY,
        title=_("View the ethnicity of students"),
        rule=Granted(VIEW_ETHNICITY),
        model="education.StudentDemographics",
    ),
    Permission(
        name=CHANGE_ETHNICITY,
        title=_("Change the ethnicity of students"),
        rule=Granted(CHANGE_ETHNICITY),
        model="education.StudentDemographics",
    ),
    Permission(name=IMPORT, title=_("Import OneRoster data"), rule=Granted(IMPORT)),
)

ROLES: Final = (
    Role(
        name="education.viewer",
        title=_("Education viewer"),
        permissions=_names((*_SHARED, *_OF_UNITS), ("view",)),
    ),
    Role(
        name="education.teacher",
        title=_("Teacher"),
        permissions=_names(("SectionEnrollment",), _WRITING),
        inherits=("education.viewer",),
    ),
    Role(
        name="education.registrar",
        title=_("Registrar"),
        permissions=(*(one.name for one in PERMISSIONS), "identity.view_orgunit"),
    ),
)

FLAGS: Final = (
    Flag(
        name=CLASS_SECTIONS_FLAG,
        title=_("Homerooms: class sections, their students and their teachers"),
        owner="education",
        expires_on=datetime.date(2027, 12, 31),
        default=True,
    ),
)
