"""What education contributes to a deployment."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from platform_core.contributions import FirstRunStep, Flag, Importer, Permission, Role
from platform_core.events import Event
from platform_core.hookspecs import hookimpl
from platform_core.resource import Resource
from platform_education.demo import load_demo_data
from platform_education.events import EVENTS
from platform_education.importers.oneroster import import_oneroster
from platform_education.resources import RESOURCES
from platform_education.rules import FLAGS, IMPORT, PERMISSIONS, ROLES
from platform_education.selectors import schools_of
from platform_identity.hookspecs import ProfileSection


@hookimpl
def resources() -> Sequence[type[Resource]]:
    """Contribute schools, calendars, courses, people and enrolments."""
    return RESOURCES


@hookimpl
def permissions() -> Sequence[Permission]:
    """Contribute the permissions on them."""
    return PERMISSIONS


@hookimpl
def roles() -> Sequence[Role]:
    """Contribute registrar, teacher and viewer."""
    return ROLES


@hookimpl
def flags() -> Sequence[Flag]:
    """Contribute the switch of homerooms."""
    return FLAGS


@hookimpl
def importers() -> Sequence[Importer]:
    """Contribute the loader of OneRoster sets."""
    return (
        Importer(
            name="education",
            title=_("OneRoster 1.1 CSV, a folder or a .zip"),
            run=import_oneroster,
            permission=IMPORT,
        ),
    )


@hookimpl
def first_run() -> Sequence[FirstRunStep]:
    """Contribute the demo schools."""
    return (FirstRunStep(name="education.demo", run=load_demo_data, demo=True),)


@hookimpl
def profile_sections() -> Sequence[ProfileSection]:
    """Contribute the schools of the signed-in user to the profile."""
    return (ProfileSection(name="education.schools", title=_("My schools"), data=schools_of),)


@hookimpl
def events() -> Sequence[type[Event]]:
    """Tell others that students leave classes."""
    return EVENTS
