"""What the tables of education share: OneRoster's identifier, persons, and spans of dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from platform_core.models import BaseModel, uuid7

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


def new_sourced_id() -> str:
    """Return an identifier for a row that was made here and not by a student information system."""
    return str(uuid7())


class SourcedModel(BaseModel):
    """A row that other systems know by its ``sourcedId``, which is unique among the live rows of its table."""

    sourced_id = models.CharField(_("sourced id"), max_length=255, default=new_sourced_id)

    class Meta(BaseModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return self.sourced_id


class Person(SourcedModel):
    """Somebody at a school, with or without a login account, which is identity's business."""

    school = models.ForeignKey(
        "education.School", verbose_name=_("school"), on_delete=models.PROTECT
    )
    given_name = models.CharField(_("given name"), max_length=150)
    middle_name = models.CharField(_("middle name"), max_length=150, blank=True)
    family_name = models.CharField(_("family name"), max_length=150)
    username = models.CharField(_("username"), max_length=255, blank=True)
    identifier = models.CharField(_("identifier"), max_length=255, blank=True)
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    phone = models.CharField(_("phone"), max_length=50, blank=True)
    is_enabled = models.BooleanField(_("enabled"), default=True)

    unit_path = "school__unit"
    personal_fields: ClassVar[tuple[str, ...]] = (
        "school",
        "given_name",
        "middle_name",
        "family_name",
        "username",
        "identifier",
        "email",
        "phone",
    )

    class Meta(BaseModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return f"{self.given_name} {self.family_name}"


class DatedModel(SourcedModel):
    """Something that holds from a day to a day, both included; an open end is unknown."""

    begin_date = models.DateField(_("begins on"), null=True, blank=True)
    end_date = models.DateField(_("ends on"), null=True, blank=True)

    class Meta(BaseModel.Meta):
        abstract = True


def dates_in_order(begin: str, *, name: str) -> models.CheckConstraint:
    """Return the constraint that ``end_date`` is not before the field ``begin``; open ends pass."""
    return models.CheckConstraint(
        condition=Q((f"{begin}__isnull", True))
        | Q(end_date__isnull=True)
        | Q(end_date__gte=F(begin)),
        name=name,
        violation_error_message=_("The end is before the beginning."),
    )


def text_list(label: StrPromise) -> ArrayField[list[str], list[str]]:
    """Return a field for a list of short texts, such as grades or subject codes."""
    return ArrayField(
        models.CharField(max_length=255), verbose_name=label, default=list, blank=True
    )
