"""The default roles of identity."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_core.contributions import Role
from platform_identity import rules

ADMIN_ROLE = "identity.admin"

ROLES = (
    Role(name="identity.owner", title=_("Owner")),
    Role(
        name=ADMIN_ROLE,
        title=_("Administrator of accounts"),
        permissions=tuple(permission.name for permission in rules.PERMISSIONS),
    ),
)
