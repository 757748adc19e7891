"""The plan: what a deployment gains and loses in truth, found by booting both sets of plugins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from platform_core.conf.deployment import Deployment
from platform_core.registry.differences import difference
from platform_core.registry.observation import connected
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.targets import Target, as_document
from platform_core.registry.trial import (
    problems_of,
    require_boot,
    require_unheld,
    take_snapshots,
)

VOLATILE = frozenset({"rows_estimate", "source"})
"""Facts that say nothing about what would change: they are shown, and left out of the hash."""


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
    if present:
        require_unheld(wanted, known=before)
    return Plan(
        target=target,
        difference=difference(before if booted else {}, wanted),
        current_problems=() if booted else problems_of(before),
    )


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
