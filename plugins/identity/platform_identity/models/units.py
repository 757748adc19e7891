"""Organisational units: the tree that role assignments are scoped to."""

from __future__ import annotations

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import LIVE, BaseModel


class OrgUnit(BaseModel):
    """A node of the organisation: an authority, a district, a school, a department."""

    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=50, blank=True)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
    )
    path = ArrayField(models.UUIDField(), editable=False, verbose_name=_("path"))
    """Ids from the root down to this unit itself; ``services.units`` keeps it."""

    unit_path = "self"

    class Meta(BaseModel.Meta):
        verbose_name = _("organisational unit")
        verbose_name_plural = _("organisational units")
        indexes = (
            GinIndex(fields=["path"], name="identity_orgunit_path"),
            models.Index(fields=["name", "id"], condition=LIVE, name="identity_orgunit_order"),
        )

    def __str__(self) -> str:
        return self.name

    def is_within(self, units: frozenset[UUID]) -> bool:
        """Tell whether the unit is one of ``units`` or below one; a new unit stands where its parent does."""
        if not self._state.adding:
            return not units.isdisjoint(self.path)
        return self.parent is not None and not units.isdisjoint(self.parent.path)
