"""What identity adds to the command line."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from django.db import transaction

from platform_core.access import acting_as, system_actor
from platform_core.errors import DomainError
from platform_identity.errors import SigningKeyError
from platform_identity.models import Role
from platform_identity.services import assignments, keys, sessions, users
from platform_identity.services.roles import OWNER_ROLE


def create_user(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="The name to show.")] = "",
    owner: Annotated[bool, typer.Option("--owner", help="Give every permission.")] = False,
    role: Annotated[list[str] | None, typer.Option(help="A role to give; repeatable.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    generate: Annotated[
        bool, typer.Option("--generate-password", help="Make a password and print it.")
    ] = False,
) -> None:
    """Create a user; asks for a password unless one is read or made."""
    operator = system_actor("command line")
    password = _password(password_stdin=password_stdin, generate=generate)
    wanted = [*(role or ()), *((OWNER_ROLE,) if owner else ())]
    found = {one.name: one for one in Role.objects.filter(name__in=wanted)}
    missing = [one for one in wanted if one not in found]
    if missing:
        known = ", ".join(Role.objects.order_by("name").values_list("name", flat=True))
        _stop(
            f"There is no role {', '.join(missing)}. Known: {known or 'none; run migrate first'}."
        )
    try:
        with acting_as(operator, reason="user create"), transaction.atomic():
            user = users.create_user(email=email, password=password, display_name=name)
            for one in found.values():
                assignments.assign_role(user=user, role=one, granted_by=operator)
    except DomainError as error:
        _stop(str(error.message))
    typer.echo(f"Created {user.email}{_with_roles(wanted)}.")
    if generate:
        typer.echo(f"Password: {password}")


def rotate_key() -> None:
    """Make a new signing key; tokens of the present one stay valid until they expire."""
    try:
        ring = keys.rotate_signing_key()
    except SigningKeyError as error:
        _stop(str(error))
    typer.echo(f"Signing with {ring.kid} now; {len(ring.verifying)} keys verify.")


def purge_sessions() -> None:
    """Delete login sessions that ended more than thirty days ago."""
    typer.echo(f"{sessions.purge_sessions()} sessions deleted.")


def _password(*, password_stdin: bool, generate: bool) -> str:
    if password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if generate:
        return users.generate_password()
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer


def _with_roles(names: list[str]) -> str:
    return f" with {', '.join(names)}" if names else ""


def _stop(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
