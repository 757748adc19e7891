"""Students and teachers (``users`` of OneRoster), and what is sensitive about students, kept apart."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import LIVE, BaseModel, UniqueAmongLive
from platform_education.models.base import Person, SourcedModel, text_list


class Student(Person):
    """Somebody who learns at a school."""

    grades = text_list(_("grades"))

    personal_fields = (*Person.personal_fields, "grades")

    class Meta(Person.Meta):
        abstract = False
        verbose_name = _("student")
        verbose_name_plural = _("students")
        default_related_name = "students"
        constraints = (UniqueAmongLive("sourced_id", name="education_student_sourced_id_live"),)
        indexes = (
            models.Index(
                fields=["family_name", "id"], condition=LIVE, name="education_student_name"
            ),
            models.Index(
                fields=["school", "family_name", "id"],
                condition=LIVE,
                name="education_student_school_name",
            ),
        )


class Teacher(Person):
    """Somebody who teaches at a school."""

    class Meta(Person.Meta):
        abstract = False
        verbose_name = _("teacher")
        verbose_name_plural = _("teachers")
        default_related_name = "teachers"
        constraints = (UniqueAmongLive("sourced_id", name="education_teacher_sourced_id_live"),)
        indexes = (
            models.Index(
                fields=["family_name", "id"], condition=LIVE, name="education_teacher_name"
            ),
        )


class StudentDemographics(SourcedModel):
    """Birth, sex, ethnicity and origin of a student: personal data with permissions of its own.

    A value that nobody gave is ``None`` or empty, never "no".
    """

    class Sex(models.TextChoices):
        """OneRoster's values."""

        FEMALE = "female", _("female")
        MALE = "male", _("male")

    student = models.ForeignKey(
        Student, verbose_name=_("student"), on_delete=models.PROTECT, related_name="demographics"
    )
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    sex = models.CharField(_("sex"), max_length=10, choices=Sex.choices, blank=True)
    american_indian_or_alaska_native = models.BooleanField(
        _("American Indian or Alaska Native"), null=True, blank=True
    )
    asian = models.BooleanField(_("Asian"), null=True, blank=True)
    black_or_african_american = models.BooleanField(
        _("Black or African American"), null=True, blank=True
    )
    native_hawaiian_or_other_pacific_islander = models.BooleanField(
        _("Native Hawaiian or other Pacific Islander"), null=True, blank=True
    )
    white = models.BooleanField(_("White"), null=True, blank=True)
    two_or_more_races = models.BooleanField(_("two or more races"), null=True, blank=True)
    hispanic_or_latino_ethnicity = models.BooleanField(
        _("Hispanic or Latino ethnicity"), null=True, blank=True
    )
    country_of_birth_code = models.CharField(_("country of birth"), max_length=10, blank=True)
    state_of_birth_abbreviation = models.CharField(_("state of birth"), max_length=50, blank=True)
    city_of_birth = models.CharField(_("city of birth"), max_length=255, blank=True)
    public_school_residence_status = models.CharField(
        _("residence status"), max_length=255, blank=True
    )

    unit_path = "student__school__unit"
    personal_fields = (
        "student",
        "birth_date",
        "sex",
        "american_indian_or_alaska_native",
        "asian",
        "black_or_african_american",
        "native_hawaiian_or_other_pacific_islander",
        "white",
        "two_or_more_races",
        "hispanic_or_latino_ethnicity",
        "country_of_birth_code",
        "state_of_birth_abbreviation",
        "city_of_birth",
        "public_school_residence_status",
    )

    class Meta(BaseModel.Meta):
        verbose_name = _("student demographics")
        verbose_name_plural = _("student demographics")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_demographics_sourced_id_live"),
            UniqueAmongLive("student", name="education_demographics_student_live"),
        )
