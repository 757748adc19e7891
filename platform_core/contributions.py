"""The frozen dataclasses that hooks return: everything a plugin can contribute to a deployment."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from platform_core.access import Rule
    from platform_core.events import Received
    from platform_core.tasks import PlatformTask

PUBLIC = "public"
"""The access of a route that anyone may call; it has to be said, never left out."""

SIGNED_IN = "signed_in"
"""The access of a route that any authenticated actor may call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A named right with the rule that decides it.

    ``name`` is ``<slug>.<verb>_<model>``. ``model`` is ``app_label.ModelName`` when the permission is about rows of
    that model, and ``None`` when it is about the whole deployment.
    """

    name: str
    title: StrOrPromise
    rule: Rule
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A default role that a plugin ships; ``name`` is ``<slug>.<role>``.

    ``permissions`` may name permissions of the plugin itself and of the plugins it requires; ``inherits`` names
    roles whose permissions this one holds too.
    """

    name: str
    title: StrOrPromise
    permissions: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A feature flag, named ``<slug>.<name>``, with the person or team that owns it and the day it has to be gone."""

    name: str
    title: StrOrPromise
    owner: str
    expires_on: datetime.date
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """URLs below ``/api/v1/<slug>/`` that are not a resource.

    ``path`` is relative to the plugin's prefix. Exactly one of ``view`` (a view callable) and ``urlconf`` (a dotted
    module path, included) is given. ``access`` is a permission name, ``SIGNED_IN`` or ``PUBLIC``. For a view the
    core enforces it; an included urlconf has to be ``PUBLIC`` and guards itself. ``flag`` names a feature flag
    that has to be on, otherwise the route answers 404.

    ``describe`` returns the route's part of the OpenAPI document: a mapping with ``paths``, relative to the route
    (``""`` is the route itself), and maybe ``components``. Component names and each ``operationId`` are led by slug
    and route, references follow, and an operation that says nothing about ``security`` takes every way to sign in.
    A description that is not valid, or describes what is described already, is refused with ``TypeError`` when the
    document is made.
    """

    path: str
    name: str
    access: str
    view: Callable[..., Any] | None = None
    urlconf: str | None = None
    flag: str | None = None
    describe: Callable[[], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProblem:
    """One reason why a row could not be imported; ``row`` counts from 1 below the header, 0 is the file itself."""

    file: str
    row: int
    column: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did: rows created, updated and unchanged by model name, and the problems that stopped it.

    With problems nothing has been written.
    """

    created: Mapping[str, int] = field(default_factory=dict)
    updated: Mapping[str, int] = field(default_factory=dict)
    unchanged: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[ImportProblem] = ()


class ImportProgress(Protocol):
    """Called by an importer as it goes, with the step's name and rows done of rows in all."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note of the progress."""


class ImportFunction(Protocol):
    """What an importer does: load ``path`` in one transaction, or only try to."""

    def __call__(self, path: Path, *, dry_run: bool, progress: ImportProgress) -> ImportReport:
        """Load ``path``; raises DomainError when it cannot be read at all."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """A loader of files, run by ``platformctl import <name> PATH``.

    ``name`` is the slug, or ``<slug>.<format>`` for a plugin with several. ``permission`` is the one that an actor
    needs; the operator at the command line needs none.
    """

    name: str
    title: StrOrPromise
    run: ImportFunction
    permission: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A task that is enqueued at certain times; ``name`` is ``<slug>.<name>``.

    ``cron`` has five fields and is read in the deployment's time zone. One that names hours ticks once a day even when
    the clocks change: a time that is skipped ticks as much later, one that comes twice ticks the first time. One with
    ``*`` as its hour ticks every hour that passes. ``arguments`` are JSON. Ticks that nobody was there to see are made
    up for by one job (``missed="once"``) or not at all (``"skip"``).
    """

    name: str
    title: StrOrPromise
    task: PlatformTask[Any]
    cron: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    missed: Literal["once", "skip"] = "once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of ``platformctl``; ``name`` is one or two words (``user create``), ``run`` a typer callable."""

    name: str
    run: Callable[..., Any]
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A wish to hear of an event; ``name`` is ``<slug>.<name>``, ``event`` the name of the event.

    ``run`` gets a ``platform_core.events.Received`` inside a transaction in which also its receipt is written: what it
    does in the database happens once, however often it is called. Events of one aggregate come one after the other. When
    it raises, the event comes again later, and is parked after eight attempts. The event may be one of a plugin that is
    not there; then it never comes. What takes long belongs into a task that ``run`` enqueues.
    """

    name: str
    event: str
    run: Callable[[Received[Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthResult:
    """The answer of a health probe; ``detail`` is for operators and holds no secret."""

    healthy: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthProbe:
    """A check that ``/readyz`` runs; a failing ``critical`` one makes the deployment not ready."""

    name: str
    check: Callable[[], HealthResult]
    critical: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRunContext:
    """What a first-run step gets: whether demo data is wanted, and the deployment's data folder."""

    demo: bool
    data_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRunStep:
    """An idempotent step of ``platformctl run`` after migrations; it returns lines to show the operator.

    Steps with ``demo`` run only when demo data is wanted.
    """

    name: str
    run: Callable[[FirstRunContext], Sequence[str]]
    demo: bool = False
