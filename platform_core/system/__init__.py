"""What the core itself contributes: its permissions, and the resources below ``/api/v1/system/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_core.contributions import Permission, Route
    from platform_core.resource import Resource

SLUG = "system"
"""The slug that no plugin may have; the core's permissions begin with it."""


def core_permissions() -> tuple[Permission, ...]:
    """Return the permissions that the core defines; models have to be loaded."""
    from platform_core.audit import resources as audit
    from platform_core.events import resources as events
    from platform_core.operations import resources as operations
    from platform_core.system import flags, mails, permissions, settings
    from platform_core.webhooks import resources as webhooks

    return (
        *operations.PERMISSIONS,
        *audit.PERMISSIONS,
        *events.PERMISSIONS,
        *flags.PERMISSIONS,
        *mails.PERMISSIONS,
        *webhooks.PERMISSIONS,
        *permissions.PERMISSIONS,
        *settings.PERMISSIONS,
    )


def core_resources() -> tuple[type[Resource], ...]:
    """Return the resources that the core serves; models have to be loaded."""
    from platform_core.audit import resources as audit
    from platform_core.events import resources as events
    from platform_core.system.flags import FlagChangeResource, FlagResource
    from platform_core.system.mails import MailResource
    from platform_core.system.settings import SettingChangeResource
    from platform_core.webhooks import resources as webhooks

    return (
        *audit.RESOURCES,
        *events.RESOURCES,
        FlagChangeResource,
        FlagResource,
        MailResource,
        SettingChangeResource,
        *webhooks.RESOURCES,
    )


def core_routes() -> tuple[Route, ...]:
    """Return the other addresses below ``/api/v1/system/``; models have to be loaded."""
    from platform_core.system import jobs, settings
    from platform_core.system.listings import LISTINGS

    return (*jobs.ROUTES, *settings.ROUTES, *(route for one in LISTINGS for route in one.routes()))
