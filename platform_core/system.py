"""What the core itself contributes: its permissions, and the resources below ``/api/v1/system/``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_core.contributions import Permission
    from platform_core.resource import Resource

SLUG = "system"
"""The slug that no plugin may have; the core's permissions begin with it."""


def core_permissions() -> tuple[Permission, ...]:
    """Return the permissions that the core defines; models have to be loaded."""
    from platform_core.audit import resources as audit
    from platform_core.operations import resources as operations

    return (*operations.PERMISSIONS, *audit.PERMISSIONS)


def core_resources() -> tuple[type[Resource], ...]:
    """Return the resources that the core serves; models have to be loaded."""
    from platform_core.audit import resources as audit

    return audit.RESOURCES
