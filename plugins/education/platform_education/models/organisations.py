"""Schools and the organisations above them; each stands for one organisational unit of identity."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import LIVE, BaseModel, UniqueAmongLive
from platform_education.models.base import SourcedModel


class Organisation(SourcedModel):
    """An ``org`` of OneRoster that is no school: a district, a department, an authority."""

    class Kind(models.TextChoices):
        """OneRoster's types of orgs other than schools."""

        DEPARTMENT = "department", _("department")
        DISTRICT = "district", _("district")
        LOCAL = "local", _("local")
        STATE = "state", _("state")
        NATIONAL = "national", _("national")

    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    identifier = models.CharField(_("identifier"), max_length=255, blank=True)
    unit = models.ForeignKey(
        "identity.OrgUnit",
        verbose_name=_("organisational unit"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )

    unit_path = "unit"

    class Meta(BaseModel.Meta):
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_organisation_sourced_id_live"),
            UniqueAmongLive("unit", name="education_organisation_unit_live"),
        )
        indexes = (models.Index(fields=["name", "id"], condition=LIVE, name="education_org_name"),)

    def __str__(self) -> str:
        return self.name


class School(SourcedModel):
    """A school, one to one with an organisational unit.

    A unit that goes away does not take its school along, nor is it held back by it: the school then has no unit,
    and only grants for the whole deployment reach it.
    """

    name = models.CharField(_("name"), max_length=200)
    identifier = models.CharField(_("identifier"), max_length=255, blank=True)
    unit = models.ForeignKey(
        "identity.OrgUnit",
        verbose_name=_("organisational unit"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )

    unit_path = "unit"

    class Meta(BaseModel.Meta):
        verbose_name = _("school")
        verbose_name_plural = _("schools")
        constraints = (
            UniqueAmongLive("sourced_id", name="education_school_sourced_id_live"),
            UniqueAmongLive("unit", name="education_school_unit_live"),
        )
        indexes = (
            models.Index(fields=["name", "id"], condition=LIVE, name="education_school_name"),
        )

    def __str__(self) -> str:
        return self.name
