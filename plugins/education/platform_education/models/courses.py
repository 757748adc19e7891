"""Courses, their offerings in a school and year, and homeroom sections."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import LIVE, BaseModel, UniqueAmongLive
from platform_education.models.base import SourcedModel, text_list
from platform_education.models.calendar import AcademicYear, Term
from platform_education.models.organisations import School


class Course(SourcedModel):
    """What can be taught: an entry in the catalogue of a district or a school."""

    unit = models.ForeignKey(
        "identity.OrgUnit",
        verbose_name=_("organisational unit"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    academic_year = models.ForeignKey(
        AcademicYear,
        verbose_name=_("academic year"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="courses",
    )
    title = models.CharField(_("title"), max_length=255)
    course_code = models.CharField(_("course code"), max_length=255, blank=True)
    grades = text_list(_("grades"))
    subjects = text_list(_("subjects"))
    subject_codes = text_list(_("subject codes"))

    unit_path = "unit"

    class Meta(BaseModel.Meta):
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        constraints = (UniqueAmongLive("sourced_id", name="education_course_sourced_id_live"),)
        indexes = (
            models.Index(fields=["title", "id"], condition=LIVE, name="education_course_title"),
        )

    def __str__(self) -> str:
        return self.title


class CourseOffering(SourcedModel):
    """A course as a school gives it in a year: a ``class`` of OneRoster whose type is *scheduled*.

    Without terms it runs the whole year.
    """

    school = models.ForeignKey(
        School, verbose_name=_("school"), on_delete=models.PROTECT, related_name="offerings"
    )
    course = models.ForeignKey(
        Course, verbose_name=_("course"), on_delete=models.PROTECT, related_name="offerings"
    )
    academic_year = models.ForeignKey(
        AcademicYear,
        verbose_name=_("academic year"),
        on_delete=models.PROTECT,
        related_name="offerings",
    )
    title = models.CharField(_("title"), max_length=255)
    class_code = models.CharField(_("class code"), max_length=255, blank=True)
    location = models.CharField(_("location"), max_length=255, blank=True)
    grades = text_list(_("grades"))
    subjects = text_list(_("subjects"))
    subject_codes = text_list(_("subject codes"))
    periods = text_list(_("periods"))

    unit_path = "school__unit"

    class Meta(BaseModel.Meta):
        verbose_name = _("course offering")
        verbose_name_plural = _("course offerings")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_courseoffering_sourced_id_live"),
        )
        indexes = (
            models.Index(fields=["title", "id"], condition=LIVE, name="education_offering_title"),
        )

    def __str__(self) -> str:
        return self.title


class CourseOfferingTerm(BaseModel):
    """A term in which an offering runs; writing one counts as a change of the offering."""

    offering = models.ForeignKey(
        CourseOffering,
        verbose_name=_("course offering"),
        on_delete=models.PROTECT,
        related_name="offering_terms",
    )
    term = models.ForeignKey(
        Term, verbose_name=_("term"), on_delete=models.PROTECT, related_name="offering_terms"
    )

    unit_path = "offering__school__unit"
    aggregate = "offering"

    class Meta(BaseModel.Meta):
        verbose_name = _("term of a course offering")
        verbose_name_plural = _("terms of course offerings")
        constraints = (
            UniqueAmongLive("offering", "term", name="education_courseofferingterm_once_live"),
        )

    def __str__(self) -> str:
        return f"{self.offering_id} – {self.term_id}"


class ClassSection(SourcedModel):
    """A homeroom: the fixed group of students of a school in a year (a ``class`` whose type is *homeroom*)."""

    school = models.ForeignKey(
        School, verbose_name=_("school"), on_delete=models.PROTECT, related_name="sections"
    )
    academic_year = models.ForeignKey(
        AcademicYear,
        verbose_name=_("academic year"),
        on_delete=models.PROTECT,
        related_name="sections",
    )
    title = models.CharField(_("title"), max_length=255)
    class_code = models.CharField(_("class code"), max_length=255, blank=True)
    location = models.CharField(_("location"), max_length=255, blank=True)
    grades = text_list(_("grades"))

    unit_path = "school__unit"

    class Meta(BaseModel.Meta):
        verbose_name = _("class section")
        verbose_name_plural = _("class sections")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_classsection_sourced_id_live"),
        )
        indexes = (
            models.Index(fields=["title", "id"], condition=LIVE, name="education_section_title"),
        )

    def __str__(self) -> str:
        return self.title
