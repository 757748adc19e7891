"""The core's own tables about settings: what was changed at run time, and what processes last started with."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models.identifiers import uuid7


class SettingChange(models.Model):
    """One change of one setting: the newest of a setting is in force, unless it says that the setting was reset.

    ``value`` is what the setting's field makes of it, as JSON. ``version`` counts the changes of one setting.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid7, editable=False)
    plugin = models.CharField(_("plugin"), max_length=100)
    name = models.CharField(_("name"), max_length=200)
    version = models.PositiveIntegerField(_("version"))
    is_reset = models.BooleanField(_("is reset"), default=False)
    value = models.JSONField(_("value"), null=True)
    changed_at = models.DateTimeField(_("changed at"), db_index=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=20)
    actor_id = models.UUIDField(_("actor"), null=True)
    request_id = models.CharField(_("request id"), max_length=200, blank=True)
    reason = models.TextField(_("reason"), blank=True)

    personal_fields = ("reason",)

    class Meta:
        verbose_name = _("change of a setting")
        verbose_name_plural = _("changes of settings")
        constraints = (
            models.UniqueConstraint(
                fields=["plugin", "name", "version"], name="platform_core_settingchange_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.plugin} {self.name} {self.version}"


class SettingDigest(models.Model):
    """What a setting was when a kind of process last started, as a digest under the deployment's secret key."""

    process = models.CharField(_("process"), max_length=50)
    variable = models.CharField(_("setting"), max_length=300)
    digest = models.BinaryField(max_length=32)
    recorded_at = models.DateTimeField(_("recorded at"), auto_now=True)

    class Meta:
        verbose_name = _("digest of a setting")
        verbose_name_plural = _("digests of settings")
        constraints = (
            models.UniqueConstraint(
                fields=["process", "variable"], name="platform_core_settingdigest_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.process} {self.variable}"
