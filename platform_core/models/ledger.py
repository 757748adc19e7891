"""The core's own tables: the ledger of plugins that this database knows, and of all that they contributed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class PluginRecord(models.Model):
    """What was last loaded of a plugin on this database: the observed state beside the configured one.

    ``digest`` is that of the whole deployment, ``contents_digest`` that of the plugin alone.
    """

    slug = models.CharField(max_length=100, primary_key=True)
    distribution = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    state = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, blank=True)
    contents_digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    first_seen_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField()
    state_since = models.DateTimeField(null=True)
    """When the plugin came into its state; empty for records older than this column."""

    class Meta:
        verbose_name = _("plugin record")
        verbose_name_plural = _("plugin records")
        ordering = ["slug"]

    def __str__(self) -> str:
        return f"{self.slug} {self.version} ({self.state})"


class PluginContribution(models.Model):
    """One thing that a plugin brought: what, in which version, written where.

    ``kind`` is a hook, or what the core found by itself: ``addresses``, ``tables``, ``migrations``, ``settings`` and
    the like. What a dormant plugin contributed when it was last enabled is kept.
    """

    plugin = models.ForeignKey(PluginRecord, on_delete=models.CASCADE, related_name="contributions")
    kind = models.CharField(max_length=50)
    name = models.CharField(max_length=500)
    version = models.CharField(max_length=100)
    place = models.CharField(max_length=500, blank=True)
    facts = models.JSONField(default=dict)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("plugin contribution")
        verbose_name_plural = _("plugin contributions")
        ordering = ["plugin", "kind", "name"]
        constraints = (
            models.UniqueConstraint(
                fields=["plugin", "kind", "name"], name="platform_core_contribution_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.plugin_id} {self.kind}: {self.name}"
