"""What identity adds to the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from platform_core.access import acting_as, system_actor
from platform_core.audit import Event, audited
from platform_core.commands import AsJson, answer, refuse
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
        bool, typer.Option("--generate-password", help="Make a password and print it, once.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a user; asks for a password unless one is read or made."""
    operator = system_actor("command line")
    wanted = [*(role or ()), *((OWNER_ROLE,) if owner else ())]
    roles = _roles(wanted, as_json=as_json)
    password = _password(password_stdin=password_stdin, generate=generate, as_json=as_json)
    try:
        created = Event(action="identity.user_created", plugin="identity")
        with acting_as(operator, reason="user create"), audited(created):
            user = users.create_user(email=email, password=password, display_name=name)
            for one in roles:
                assignments.assign_role(user=user, role=one, granted_by=operator)
    except DomainError as error:
        _stop(
            str(error.message),
            "Nobody was created; correct it and call again.",
            code=error.code,
            place=(error.pointer or "").strip("/"),
            as_json=as_json,
        )
    given = f" with {', '.join(wanted)}" if wanted else ""
    text = f"Created {user.email}{given}."
    made = {"password": password} if generate else {}
    answer(
        "\n".join([text, *(f"Password: {one}" for one in made.values())]),
        as_json=as_json,
        id=user.pk,
        email=user.email,
        roles=wanted,
        **made,
    )


def rotate_key(as_json: AsJson = False) -> None:
    """Make a new signing key; tokens of the present one stay valid until they expire."""
    try:
        ring = keys.rotate_signing_key()
    except SigningKeyError as error:
        _stop(
            str(error),
            "Nothing was rotated; the present keys stay as they are.",
            code="signing_keys",
            as_json=as_json,
        )
    answer(
        f"Signing with {ring.kid} now; {len(ring.verifying)} keys verify.",
        as_json=as_json,
        signing=ring.kid,
        verifying=sorted(ring.verifying),
    )


def purge_sessions(as_json: AsJson = False) -> None:
    """Delete login sessions that ended more than thirty days ago."""
    deleted = sessions.purge_sessions()
    answer(f"{deleted} sessions deleted.", as_json=as_json, deleted=deleted)


def _roles(names: Sequence[str], *, as_json: bool) -> list[Role]:
    found = {one.name: one for one in Role.objects.filter(name__in=names)}
    missing = [one for one in names if one not in found]
    if missing:
        known = ", ".join(Role.objects.order_by("name").values_list("name", flat=True))
        _stop(
            f"There is no role {', '.join(missing)}.",
            f"Known: {known}." if known else "There are none yet; run: platformctl migrate",
            code="unknown_role",
            place="--role",
            as_json=as_json,
        )
    return list(found.values())


def _password(*, password_stdin: bool, generate: bool, as_json: bool) -> str:
    if password_stdin and generate:
        _stop(
            "A password is either read or made.",
            "Leave out --password-stdin or --generate-password.",
            code="two_passwords",
            place="--generate-password",
            as_json=as_json,
        )
    if password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if generate:
        return users.generate_password()
    answered: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answered


def _stop(message: str, way_out: str, *, code: str, as_json: bool, place: str = "") -> NoReturn:
    refuse(message, way_out, plugin="identity", code=code, place=place, as_json=as_json)
