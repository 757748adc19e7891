"""Roles, their inheritance, and their assignment to users within a scope and a time."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from platform_core.models import LIVE, BaseModel, UniqueAmongLive


class Role(BaseModel):
    """A named set of permissions, its own and those of the roles it inherits from."""

    name = models.SlugField(_("name"), max_length=100, db_index=False)
    title = models.CharField(_("title"), max_length=200)
    holds_all = models.BooleanField(_("holds every permission"), default=False, editable=False)
    permissions = ArrayField(
        models.CharField(max_length=150), default=list, blank=True, verbose_name=_("permissions")
    )
    effective_permissions = ArrayField(
        models.CharField(max_length=150), default=list, blank=True, editable=False
    )
    """Own and inherited permissions; ``services.roles`` keeps it."""
    inherits = models.ManyToManyField(
        "self",
        verbose_name=_("inherits"),
        through="identity.RoleInheritance",
        through_fields=("role", "parent"),
        symmetrical=False,
        related_name="heirs",
    )
    provided_by = models.CharField(_("provided by"), max_length=50, blank=True, editable=False)
    """The slug of the plugin that ships the role; empty for roles made by an admin."""

    class Meta(BaseModel.Meta):
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        constraints = (UniqueAmongLive("name", name="identity_role_name_live"),)

    def __str__(self) -> str:
        return self.title


class RoleInheritance(models.Model):
    """One step of inheritance: ``role`` holds what ``parent`` holds."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="inheritances")
    parent = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="bequests")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["role", "parent"], name="identity_inheritance_once"),
            models.CheckConstraint(
                condition=~Q(role=F("parent")), name="identity_inheritance_not_self"
            ),
        )

    def __str__(self) -> str:
        return f"{self.role_id} → {self.parent_id}"


class RoleAssignment(BaseModel):
    """A role given to a user: everywhere, in a unit and below, or for one object; from a time, to a time."""

    class Scope(models.TextChoices):
        """Where an assignment counts."""

        DEPLOYMENT = "deployment", _("everywhere")
        UNIT = "unit", _("in a unit and below")
        OBJECT = "object", _("for one object")

    user = models.ForeignKey(
        "identity.User",
        verbose_name=_("user"),
        on_delete=models.PROTECT,
        related_name="role_assignments",
    )
    role = models.ForeignKey(
        Role, verbose_name=_("role"), on_delete=models.PROTECT, related_name="assignments"
    )
    scope = models.CharField(_("scope"), max_length=10, choices=Scope.choices)
    unit = models.ForeignKey(
        "identity.OrgUnit",
        verbose_name=_("unit"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="role_assignments",
    )
    object_model = models.CharField(_("model"), max_length=100, blank=True)
    object_id = models.UUIDField(_("object"), null=True, blank=True)
    starts_at = models.DateTimeField(_("starts at"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)

    unit_path = "unit"
    personal_fields = ("user", "role")

    class Meta(BaseModel.Meta):
        verbose_name = _("role assignment")
        verbose_name_plural = _("role assignments")
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    scope="deployment", unit__isnull=True, object_model="", object_id__isnull=True
                )
                | Q(scope="unit", unit__isnull=False, object_model="", object_id__isnull=True)
                | Q(scope="object", unit__isnull=True, object_id__isnull=False)
                & ~Q(object_model=""),
                name="identity_assignment_scope",
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True)
                | Q(ends_at__isnull=True)
                | Q(ends_at__gt=F("starts_at")),
                name="identity_assignment_dates",
            ),
        )
        indexes = (
            models.Index(
                fields=["created_at", "id"], condition=LIVE, name="identity_assignment_order"
            ),
        )

    def __str__(self) -> str:
        return f"{self.role_id} → {self.user_id}"
