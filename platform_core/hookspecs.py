"""Every hook of the core: what a plugin may contribute, one typed signature each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from platform_core.access import GrantSource
    from platform_core.contributions import (
        Command,
        FirstRunStep,
        Flag,
        HealthProbe,
        Importer,
        Permission,
        Role,
        Route,
        Schedule,
        Subscription,
    )
    from platform_core.events import Event
    from platform_core.mail import Mail
    from platform_core.resource import Resource
    from platform_core.tasks import PlatformTask

PROJECT = "platform_core"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def resources() -> Sequence[type[Resource]]:
    """Return the resource classes to mount below ``/api/v1/<slug>/``, or that of their ``api_version``."""


@hookspec
def routes() -> Sequence[Route]:
    """Return the routes below ``/api/v1/<slug>/`` that are not resources, each with its access."""


@hookspec
def permissions() -> Sequence[Permission]:
    """Return the permissions that the plugin defines, each with its rule; what is not named here is denied."""


@hookspec
def roles() -> Sequence[Role]:
    """Return the default roles that the plugin ships, made of its own and required plugins' permissions."""


@hookspec
def flags() -> Sequence[Flag]:
    """Return the feature flags that the plugin reads; they are created in the database after each migrate."""


@hookspec
def importers() -> Sequence[Importer]:
    """Return the loaders of files that ``platformctl import`` offers."""


@hookspec
def commands() -> Sequence[Command]:
    """Return the commands that ``platformctl`` gains."""


@hookspec
def health_probes() -> Sequence[HealthProbe]:
    """Return the checks that ``/readyz`` runs for the plugin."""


@hookspec
def tasks() -> Sequence[PlatformTask[Any]]:
    """Return the tasks of the plugin, each made by ``platform_core.tasks.task``; their queue is the plugin's slug."""


@hookspec
def schedules() -> Sequence[Schedule]:
    """Return the times at which tasks of the plugin are enqueued by themselves."""


@hookspec
def events() -> Sequence[type[Event]]:
    """Return the events that the plugin emits, classes derived from ``platform_core.events.Event``."""


@hookspec
def subscriptions() -> Sequence[Subscription]:
    """Return the events that the plugin wants to hear of, its own and others', and what it does about them."""


@hookspec
def mails() -> Sequence[type[Mail]]:
    """Return the mails that the plugin sends, classes derived from ``platform_core.mail.Mail``."""


@hookspec
def first_run() -> Sequence[FirstRunStep]:
    """Return the idempotent steps that ``platformctl run`` takes after migrations, demo data among them."""


@hookspec
def grant_source() -> GrantSource:
    """Return the object that knows which permissions an actor was granted; at most one plugin has it."""
