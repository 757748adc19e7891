"""The owner that a deployment gets at its first start, when nobody could sign in otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.db import transaction

from platform_core.access import acting_as, system_actor
from platform_core.contributions import FirstRunContext
from platform_core.durable import create_private_file
from platform_core.observability import security_event
from platform_identity.models import Role, RoleAssignment
from platform_identity.services.assignments import assign_role
from platform_identity.services.roles import OWNER_ROLE
from platform_identity.services.users import create_user, generate_password

OWNER_EMAIL = "owner@example.org"
FILE_NAME = "owner-credentials.txt"


def ensure_owner(context: FirstRunContext) -> Sequence[str]:
    """Create the owner with a generated password when nobody has the owner role; return lines for the operator.

    The password is shown once and kept in a file that only the operator can read.
    """
    file = context.data_dir / FILE_NAME
    with transaction.atomic(), acting_as(system_actor("first run")):
        role = Role.objects.select_for_update().get(name=OWNER_ROLE)
        if RoleAssignment.objects.filter(role=role).exists():
            return _reminder(file)
        password = generate_password()
        owner = create_user(email=OWNER_EMAIL, password=password, display_name="Owner")
        assign_role(user=owner, role=role, granted_by=system_actor("first run"))
        security_event("identity.owner_created", user=owner.pk)
        file.unlink(missing_ok=True)
        create_private_file(file, f"e-mail:   {OWNER_EMAIL}\npassword: {password}\n")
    return [
        f"Owner: {OWNER_EMAIL}",
        f"Password: {password}",
        f"Both are kept in {file}; delete the file once you have them.",
    ]


def _reminder(file: Path) -> Sequence[str]:
    return [f"The owner's password of the first start is in {file}."] if file.exists() else []
