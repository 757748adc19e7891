"""The permissions of identity and who holds them beyond their grants."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_core.access import Granted, Where, actor, model_permissions
from platform_core.access.permissions import STANDARD_VERBS
from platform_core.contributions import Permission

VIEW_USER = "identity.view_user"
CHANGE_USER = "identity.change_user"
SUSPEND_USER = "identity.suspend_user"
REACTIVATE_USER = "identity.reactivate_user"
EXPORT_USER = "identity.export_user"
EXPORT_UNIT = "identity.export_orgunit"
VIEW_SESSION = "identity.view_loginsession"
REVOKE_SESSION = "identity.revoke_loginsession"
VIEW_ASSIGNMENT = "identity.view_roleassignment"

USER_PERMISSIONS = (
    Permission(
        name=VIEW_USER,
        title=_("View user"),
        rule=Granted(VIEW_USER) | Where("id", actor),
        model="identity.User",
    ),
    *model_permissions("identity.User", ("add", "change", "delete", "restore", "export")),
    Permission(
        name=SUSPEND_USER,
        title=_("Suspend user"),
        rule=Granted(SUSPEND_USER),
        model="identity.User",
    ),
    Permission(
        name=REACTIVATE_USER,
        title=_("Reactivate user"),
        rule=Granted(REACTIVATE_USER),
        model="identity.User",
    ),
)

UNIT_PERMISSIONS = model_permissions("identity.OrgUnit", (*STANDARD_VERBS, "export"))

ROLE_PERMISSIONS = model_permissions("identity.Role", ("view", "add", "change", "delete"))

ASSIGNMENT_PERMISSIONS = (
    Permission(
        name=VIEW_ASSIGNMENT,
        title=_("View role assignment"),
        rule=Granted(VIEW_ASSIGNMENT) | Where("user", actor),
        model="identity.RoleAssignment",
    ),
    *model_permissions("identity.RoleAssignment", ("add", "change", "delete")),
)

SESSION_PERMISSIONS = (
    Permission(
        name=VIEW_SESSION,
        title=_("View login session"),
        rule=Granted(VIEW_SESSION) | Where("user", actor),
        model="identity.LoginSession",
    ),
    Permission(
        name=REVOKE_SESSION,
        title=_("End login session"),
        rule=Granted(REVOKE_SESSION) | Where("user", actor),
        model="identity.LoginSession",
    ),
)

PERMISSIONS = (
    *USER_PERMISSIONS,
    *UNIT_PERMISSIONS,
    *ROLE_PERMISSIONS,
    *ASSIGNMENT_PERMISSIONS,
    *SESSION_PERMISSIONS,
)
