"""Who may look at the deployment itself, and steer its background work."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from platform_core.access import Granted
from platform_core.contributions import Permission

VIEW_SYSTEM: Final = "system.view_system"
VIEW_SETTINGS: Final = "system.view_settings"
VIEW_TASKS: Final = "system.view_tasks"
VIEW_EVENT_TYPES: Final = "system.view_event_types"
RETRY_TASKS: Final = "system.retry_tasks"
CANCEL_TASKS: Final = "system.cancel_tasks"

PERMISSIONS = tuple(
    Permission(name=name, title=title, rule=Granted(name))
    for name, title in (
        (VIEW_SYSTEM, _("View plugins, health, tables and limits of the deployment")),
        (VIEW_SETTINGS, _("View settings of the deployment, without secrets")),
        (VIEW_TASKS, _("View background tasks and schedules")),
        (VIEW_EVENT_TYPES, _("View which events webhooks can tell of")),
        (RETRY_TASKS, _("Run failed background tasks again")),
        (CANCEL_TASKS, _("Cancel background tasks")),
    )
)
