"""Access: rules, permissions and the one gate that decides; what plugin authors may use of it."""

from platform_core.access.actors import (
    ANONYMOUS,
    Actor,
    acting_as,
    actor,
    current_actor,
    current_reason,
    current_request_id,
    system_actor,
)
from platform_core.access.decisions import Decision, decide, may_some, scope
from platform_core.access.fields import FieldAccess
from platform_core.access.grants import (
    Contact,
    Contacts,
    Grant,
    Grants,
    GrantSource,
    MissingReference,
    PortableGrants,
    installed_grant_source,
)
from platform_core.access.leaves import Always, Granted, Never, SignedIn, Where
from platform_core.access.permissions import (
    PermissionRegistry,
    PermissionRegistryError,
    install_permissions,
    installed_permissions,
    model_permissions,
    using_permissions,
)
from platform_core.access.policy import Policy, PolicyError
from platform_core.access.rules import Explanation, ObjectRequired, Rule

__all__ = [
    "ANONYMOUS",
    "Actor",
    "Always",
    "Contact",
    "Contacts",
    "Decision",
    "Explanation",
    "FieldAccess",
    "Grant",
    "GrantSource",
    "Granted",
    "Grants",
    "MissingReference",
    "Never",
    "ObjectRequired",
    "PermissionRegistry",
    "PermissionRegistryError",
    "Policy",
    "PolicyError",
    "PortableGrants",
    "Rule",
    "SignedIn",
    "Where",
    "acting_as",
    "actor",
    "current_actor",
    "current_reason",
    "current_request_id",
    "decide",
    "install_permissions",
    "installed_grant_source",
    "installed_permissions",
    "may_some",
    "model_permissions",
    "scope",
    "system_actor",
    "using_permissions",
]
