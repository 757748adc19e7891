"""The plan: what a deployment gains and loses in truth, found by booting both sets of plugins."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from platform_core.conf.deployment import Deployment
from platform_core.registry.configuration import Lists
from platform_core.registry.differences import difference
from platform_core.registry.observation import connected
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.snapshot import WITH_CONTENTS, WITH_PLACEHOLDERS, WITHOUT_DATABASE
from platform_core.registry.targets import Target, as_document

BOOT_TIMEOUT_S = 300
VOLATILE = frozenset({"rows_estimate", "source"})
"""Facts that say nothing about what would change: they are shown, and left out of the hash."""

Snapshot = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would change; ``current_problems`` says why the present set does not boot, if it does not."""

    target: Target
    difference: Mapping[str, Any]
    current_problems: tuple[PluginProblem, ...] = ()

    @property
    def changes_anything(self) -> bool:
        """Whether carrying it out would change lists or database."""
        return self.target.lists != self.target.current or bool(self.difference)

    @property
    def hash(self) -> str:
        """Return a SHA-256 over lists and difference: the same for as long as the same would happen."""
        facts = [
            self.target.current.as_dict(),
            self.target.lists.as_dict(),
            _without(VOLATILE, self.difference),
        ]
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON data."""
        return {
            "ok": True,
            "changes_anything": self.changes_anything,
            "hash": self.hash,
            **as_document(self.target),
            "current_problems": [problem.as_dict() for problem in self.current_problems],
            "difference": dict(self.difference),
        }


def make_plan(target: Target) -> Plan:
    """Boot the present and the wanted set and return the difference.

    Raises PluginErrors with what is wrong when the wanted set does not boot. The database has to run, and
    ``DJANGO_SETTINGS_MODULE`` and ``PLATFORM_DIR`` have to be set; nothing is changed.
    """
    sets = [target.lists] if target.lists == target.current else [target.lists, target.current]
    wanted, *present = take_snapshots(sets)
    require_boot(wanted)
    before = present[0] if present else wanted
    booted = bool(before.get("ok"))
    return Plan(
        target=target,
        difference=difference(before if booted else {}, wanted),
        current_problems=() if booted else problems_of(before),
    )


def take_snapshots(
    sets: Sequence[Lists],
    *,
    with_database: bool = True,
    first_on_path: Path | None = None,
    contents: bool = False,
    placeholders: bool = False,
) -> list[Snapshot]:
    """Boot each set of plugins in a process of its own, side by side, and return their reports.

    What is in the folder ``first_on_path`` comes before what is installed. With ``contents`` the report holds all that
    the ledger would keep. With ``placeholders`` a required setting that has no value gets one for the look, so that it
    can be told instead of stopping the boot.
    """
    options = [] if with_database else [WITHOUT_DATABASE]
    options += [WITH_CONTENTS] if contents else []
    options += [WITH_PLACEHOLDERS] if placeholders else []
    processes = [_start(lists, options, first_on_path) for lists in sets]
    try:
        return [_report(process) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def require_boot(snapshot: Snapshot) -> None:
    """Raise PluginErrors with the problems of a set that does not boot."""
    if not snapshot.get("ok"):
        raise PluginErrors(problems_of(snapshot))


def problems_of(snapshot: Snapshot) -> tuple[PluginProblem, ...]:
    """Return the problems that a snapshot reports."""
    return tuple(PluginProblem(**problem) for problem in snapshot.get("problems", ()))


def _start(lists: Lists, options: list[str], first: Path | None) -> subprocess.Popen[str]:
    names = ("PLATFORM_PLUGINS", "PLATFORM_DORMANT_PLUGINS")
    environment = {
        name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in names
    }
    for name, slugs in zip(names, (lists.plugins, lists.dormant), strict=True):
        environment[name] = json.dumps(list(slugs))
    python = [sys.executable]
    if first is not None:
        python.append("-P")  # else the working directory would come before it
        inherited = filter(None, [environment.get("PYTHONPATH")])
        environment["PYTHONPATH"] = os.pathsep.join([str(first), *inherited])
    return subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        [*python, "-m", "platform_core.registry.snapshot", *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def _report(process: subprocess.Popen[str]) -> Snapshot:
    try:
        text, _ = process.communicate(timeout=BOOT_TIMEOUT_S)
        found: Snapshot = json.loads(text)
    except subprocess.TimeoutExpired:
        return _failed(f"The start took longer than {BOOT_TIMEOUT_S} s.")
    except json.JSONDecodeError:
        return _failed(f"The process that starts the set ended with code {process.returncode}.")
    return found


def _failed(message: str) -> Snapshot:
    problem = PluginProblem(
        plugin="",
        code="boot_failed",
        message=message,
        way_out="Look at what it wrote to standard error, and repair or leave out that plugin.",
    )
    return {"ok": False, "problems": [problem.as_dict()]}


def _without(names: Collection[str], value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(names, item) for key, item in value.items() if key not in names}
    if isinstance(value, list | tuple):
        return [_without(names, item) for item in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the database knows: plugins of the ledger and applied migrations, as ``label.name``."""

    plugins: frozenset[str] = frozenset()
    migrations: frozenset[str] = frozenset()


def observe(deployment: Deployment) -> Observed | None:
    """Ask the deployment's database without booting it; None when it cannot be reached."""
    try:
        with connected(deployment) as connection:
            # The tables' names: the models cannot be imported before Django is set up.
            return Observed(
                plugins=_names(connection, "platform_core_pluginrecord", LEDGER),
                migrations=_names(connection, "django_migrations", APPLIED),
            )
    except (psycopg.Error, PluginErrors, OSError):
        return None


LEDGER = "SELECT slug FROM platform_core_pluginrecord"
APPLIED = "SELECT app || '.' || name FROM django_migrations"


def _names(connection: psycopg.Connection[Any], table: str, query: LiteralString) -> frozenset[str]:
    row = connection.execute("SELECT to_regclass(%s)", [table]).fetchone()
    if row is None or row[0] is None:
        return frozenset()
    return frozenset(str(name) for (name,) in connection.execute(query).fetchall())
