"""The core's own table: the ledger of plugins that this database knows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class PluginRecord(models.Model):
    """What was last loaded of a plugin on this database: the observed state beside the configured one."""

    slug = models.CharField(max_length=100, primary_key=True)
    distribution = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    state = models.CharField(max_length=20)
    digest = models.CharField(max_length=64, blank=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("plugin record")
        verbose_name_plural = _("plugin records")
        ordering = ["slug"]

    def __str__(self) -> str:
        return f"{self.slug} {self.version} ({self.state})"
