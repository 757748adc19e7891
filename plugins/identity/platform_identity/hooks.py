"""What identity contributes to a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from platform_core.access import GrantSource
from platform_core.contributions import (
    PUBLIC,
    SIGNED_IN,
    Command,
    FirstRunStep,
    HealthProbe,
    Permission,
    Role,
    Route,
    Schedule,
    Subscription,
)
from platform_core.events import Event
from platform_core.hookspecs import hookimpl
from platform_core.mail import Mail
from platform_core.resource import Resource
from platform_core.tasks import PlatformTask
from platform_identity import commands as command_line
from platform_identity import health, rules, views
from platform_identity import resources as served
from platform_identity import roles as shipped
from platform_identity import tasks as background
from platform_identity.adapters.openapi import describe_sign_in
from platform_identity.descriptions import describe_profile
from platform_identity.events import EVENTS
from platform_identity.first_run import ensure_owner
from platform_identity.grants import RoleGrants
from platform_identity.mails import MAILS
from platform_identity.notices import SUBSCRIPTIONS


@hookimpl
def resources() -> Sequence[type[Resource]]:
    """Serve users, units, roles, assignments and sessions."""
    return (
        served.UserResource,
        served.OrgUnitResource,
        served.RoleResource,
        served.RoleAssignmentResource,
        served.LoginSessionResource,
    )


@hookimpl
def routes() -> Sequence[Route]:
    """Mount sign-in, and the profile of whoever is signed in."""
    return (
        Route(
            path="auth/",
            name="auth",
            access=PUBLIC,
            urlconf="platform_identity.auth_urls",
            describe=describe_sign_in,
        ),
        Route(path="me/", name="me", access=SIGNED_IN, view=views.me, describe=describe_profile),
    )


@hookimpl
def permissions() -> Sequence[Permission]:
    """Define who may see and change accounts, units, roles and sessions."""
    return rules.PERMISSIONS


@hookimpl
def roles() -> Sequence[Role]:
    """Ship the owner and the administrator of accounts."""
    return shipped.ROLES


@hookimpl
def commands() -> Sequence[Command]:
    """Create users, change the signing key, clear old sessions away."""
    return (
        Command(name="user create", run=command_line.create_user, help="Create a user."),
        Command(
            name="identity rotate-key", run=command_line.rotate_key, help="Make a new signing key."
        ),
        Command(
            name="identity purge-sessions",
            run=command_line.purge_sessions,
            help="Delete login sessions that ended long ago.",
        ),
    )


@hookimpl
def tasks() -> Sequence[PlatformTask[Any]]:
    """Clear old sessions away."""
    return (background.purge_sessions,)


@hookimpl
def schedules() -> Sequence[Schedule]:
    """Clear old sessions away each night."""
    return (
        Schedule(
            name="identity.purge_sessions",
            title=_("Delete sessions that ended long ago"),
            task=background.purge_sessions,
            cron="40 3 * * *",
        ),
    )


@hookimpl
def health_probes() -> Sequence[HealthProbe]:
    """Report a deployment that cannot sign tokens as not ready."""
    return (HealthProbe(name="identity.signing_keys", check=health.signing_keys),)


@hookimpl
def first_run() -> Sequence[FirstRunStep]:
    """Give a new deployment its owner."""
    return (FirstRunStep(name="identity.owner", run=ensure_owner),)


@hookimpl
def grant_source() -> GrantSource:
    """Answer grants from role assignments."""
    return RoleGrants()


@hookimpl
def mails() -> Sequence[type[Mail]]:
    """Send codes that people asked for, and notices of what happened to their account."""
    return MAILS


@hookimpl
def subscriptions() -> Sequence[Subscription]:
    """Hear of what happens to accounts, to tell those whose they are."""
    return SUBSCRIPTIONS


@hookimpl
def events() -> Sequence[type[Event]]:
    """Tell others that accounts come and go."""
    return EVENTS
