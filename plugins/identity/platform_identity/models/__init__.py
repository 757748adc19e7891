"""The tables of identity: users, login sessions, organisational units, roles and their assignments."""

from platform_identity.models.roles import Role, RoleAssignment, RoleInheritance
from platform_identity.models.sessions import LoginSession, RefreshToken
from platform_identity.models.units import OrgUnit
from platform_identity.models.users import User, normalise_email

__all__ = [
    "LoginSession",
    "OrgUnit",
    "RefreshToken",
    "Role",
    "RoleAssignment",
    "RoleInheritance",
    "User",
    "normalise_email",
]
