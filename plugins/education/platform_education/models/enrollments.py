"""Who learns and who teaches in which class, from when to when (``enrollments`` of OneRoster)."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from platform_core.models import BaseModel, UniqueAmongLive
from platform_education.models.base import DatedModel, dates_in_order
from platform_education.models.courses import ClassSection, CourseOffering
from platform_education.models.people import Student, Teacher


class EnrollmentStatus(models.TextChoices):
    """Where an enrolment stands."""

    ENROLLED = "enrolled", _("enrolled")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Enrollment(DatedModel):
    """A student's place in a class; a withdrawn one has an end and stays on record."""

    student_id: UUID
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=EnrollmentStatus.choices,
        default=EnrollmentStatus.ENROLLED,
        editable=False,
    )

    class Meta(BaseModel.Meta):
        abstract = True

    @property
    def is_enrolled(self) -> bool:
        """Tell whether nobody has withdrawn the student yet."""
        return self.status == EnrollmentStatus.ENROLLED


def withdrawn_has_end(name: str) -> models.CheckConstraint:
    """Return the constraint that a withdrawn enrolment says when it ended."""
    return models.CheckConstraint(
        condition=~Q(status=EnrollmentStatus.WITHDRAWN) | Q(end_date__isnull=False), name=name
    )


class CourseEnrollment(Enrollment):
    """A student's place in a course offering."""

    student = models.ForeignKey(
        Student,
        verbose_name=_("student"),
        on_delete=models.PROTECT,
        related_name="course_enrollments",
    )
    offering = models.ForeignKey(
        CourseOffering,
        verbose_name=_("course offering"),
        on_delete=models.PROTECT,
        related_name="enrollments",
    )

    unit_path = "offering__school__unit"
    personal_fields = ("student", "offering", "status", "begin_date", "end_date")

    class Meta(BaseModel.Meta):
        verbose_name = _("course enrolment")
        verbose_name_plural = _("course enrolments")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_courseenrollment_sourced_id_live"),
            dates_in_order("begin_date", name="education_courseenrollment_dates"),
            withdrawn_has_end("education_courseenrollment_withdrawn"),
        )


class SectionEnrollment(Enrollment):
    """A student's place in a homeroom."""

    student = models.ForeignKey(
        Student,
        verbose_name=_("student"),
        on_delete=models.PROTECT,
        related_name="section_enrollments",
    )
    section = models.ForeignKey(
        ClassSection,
        verbose_name=_("class section"),
        on_delete=models.PROTECT,
        related_name="enrollments",
    )

    unit_path = "section__school__unit"
    personal_fields = ("student", "section", "status", "begin_date", "end_date")

    class Meta(BaseModel.Meta):
        verbose_name = _("homeroom enrolment")
        verbose_name_plural = _("homeroom enrolments")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_sectionenrollment_sourced_id_live"),
            dates_in_order("begin_date", name="education_sectionenrollment_dates"),
            withdrawn_has_end("education_sectionenrollment_withdrawn"),
        )


class TeachingAssignment(DatedModel):
    """A teacher's part in a course offering."""

    teacher = models.ForeignKey(
        Teacher,
        verbose_name=_("teacher"),
        on_delete=models.PROTECT,
        related_name="teaching_assignments",
    )
    offering = models.ForeignKey(
        CourseOffering,
        verbose_name=_("course offering"),
        on_delete=models.PROTECT,
        related_name="teaching_assignments",
    )
    is_primary = models.BooleanField(_("primary teacher"), default=False)

    unit_path = "offering__school__unit"
    personal_fields = ("teacher", "offering", "is_primary", "begin_date", "end_date")

    class Meta(BaseModel.Meta):
        verbose_name = _("teaching assignment")
        verbose_name_plural = _("teaching assignments")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_teachingassignment_sourced_id_live"),
            dates_in_order("begin_date", name="education_teachingassignment_dates"),
        )


class HomeroomAssignment(DatedModel):
    """A teacher's charge of a homeroom."""

    teacher = models.ForeignKey(
        Teacher,
        verbose_name=_("teacher"),
        on_delete=models.PROTECT,
        related_name="homeroom_assignments",
    )
    section = models.ForeignKey(
        ClassSection,
        verbose_name=_("class section"),
        on_delete=models.PROTECT,
        related_name="homeroom_assignments",
    )
    is_primary = models.BooleanField(_("primary teacher"), default=False)

    unit_path = "section__school__unit"
    personal_fields = ("teacher", "section", "is_primary", "begin_date", "end_date")

    class Meta(BaseModel.Meta):
        verbose_name = _("homeroom assignment")
        verbose_name_plural = _("homeroom assignments")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_homeroomassignment_sourced_id_live"),
            dates_in_order("begin_date", name="education_homeroomassignment_dates"),
        )
