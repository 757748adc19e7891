"""The calendar: academic years and the terms within them (``academicSessions`` of OneRoster)."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import LIVE, BaseModel, UniqueAmongLive
from platform_education.models.base import SourcedModel, dates_in_order


class AcademicYear(SourcedModel):
    """A school year; ``school_year`` is the calendar year in which it ends, as OneRoster has it."""

    title = models.CharField(_("title"), max_length=255)
    school_year = models.PositiveSmallIntegerField(
        _("school year"), validators=[MinValueValidator(1900), MaxValueValidator(9999)]
    )
    start_date = models.DateField(_("starts on"))
    end_date = models.DateField(_("ends on"))

    class Meta(BaseModel.Meta):
        verbose_name = _("academic year")
        verbose_name_plural = _("academic years")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_academicyear_sourced_id_live"),
            dates_in_order("start_date", name="education_academicyear_dates"),
        )
        indexes = (
            models.Index(fields=["start_date", "id"], condition=LIVE, name="education_year_start"),
        )

    def __str__(self) -> str:
        return self.title


class Term(SourcedModel):
    """A part of an academic year; terms may be parts of other terms."""

    class Kind(models.TextChoices):
        """OneRoster's types of academic sessions other than the school year."""

        SEMESTER = "semester", _("semester")
        TERM = "term", _("term")
        GRADING_PERIOD = "gradingPeriod", _("grading period")

    academic_year = models.ForeignKey(
        AcademicYear,
        verbose_name=_("academic year"),
        on_delete=models.PROTECT,
        related_name="terms",
    )
    parent = models.ForeignKey(
        "self",
        verbose_name=_("part of"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="parts",
    )
    title = models.CharField(_("title"), max_length=255)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    start_date = models.DateField(_("starts on"))
    end_date = models.DateField(_("ends on"))

    class Meta(BaseModel.Meta):
        verbose_name = _("term")
        verbose_name_plural = _("terms")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_term_sourced_id_live"),
            dates_in_order("start_date", name="education_term_dates"),
            models.CheckConstraint(
                condition=models.Q(parent__isnull=True) | ~models.Q(parent=models.F("id")),
                name="education_term_not_own_part",
            ),
        )
        indexes = (
            models.Index(fields=["start_date", "id"], condition=LIVE, name="education_term_start"),
        )

    def __str__(self) -> str:
        return self.title
