"""What can be known of a deployment, also when its plugins do not start or its database is away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from platform_core.conf.deployment import Deployment
from platform_core.registry.discovery import Candidates, discover
from platform_core.registry.lists import Lists
from platform_core.registry.observation import DatabaseState, connected, read_state
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.trial import problems_of, take_snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A deployment as it is; ``database`` is None when it cannot be asked, ``snapshot`` holds only what booted."""

    deployment: Deployment
    lists: Lists
    candidates: Candidates
    snapshot: Mapping[str, Any]
    database: DatabaseState | None
    database_error: str = ""

    @property
    def booted(self) -> bool:
        """Whether the plugins were loaded; there may be problems all the same."""
        return "plugins" in self.snapshot

    @property
    def problems(self) -> tuple[PluginProblem, ...]:
        """What kept it from booting, or what was found wrong right after."""
        return problems_of(self.snapshot)

    def contents(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield slug and row of what is loaded, then what is only remembered of plugins that contribute nothing now."""
        seen = set()
        for slug, rows in self.snapshot.get("contents", {}).items():
            version = self.snapshot["plugins"][slug]["version"]
            for row in rows:
                seen.add((slug, row["kind"], row["name"]))
                yield slug, {**row, "version": version, "remembered": False}
        for slug, recorded in (self.database.ledger if self.database else {}).items():
            for row in recorded.contents:
                loaded = self.booted and self.state_of(slug) == "enabled"
                if not loaded and (slug, row["kind"], row["name"]) not in seen:
                    yield slug, {**row, "remembered": True}

    def state_of(self, slug: str) -> str:
        """Return the state of a plugin as it is loaded, else as it is listed; ``missing`` without a distribution."""
        loaded = self.snapshot.get("plugins", {}).get(slug)
        if loaded:
            return str(loaded["state"])
        state = self.lists.state_of(slug)
        return state if slug in self.candidates or state != "available" else "missing"


def look(deployment: Deployment, *, database_error: str = "") -> Situation:
    """Return the situation; the plugins are started in a process of their own, and nothing is changed.

    ``database_error`` says why there is no database to ask, when that is known already.
    """
    core = deployment.core
    lists = Lists(plugins=tuple(core.plugins), dormant=tuple(core.dormant_plugins))
    state = None
    if not database_error:
        try:
            with connected(deployment) as connection:
                state = read_state(connection)
        except PluginErrors as errors:
            database_error = str(errors)
        except (psycopg.OperationalError, OSError) as error:  # its text may hold the address
            database_error = f"The database cannot be used ({type(error).__name__})."
    (snapshot,) = take_snapshots([lists], with_database=state is not None, contents=True)
    return Situation(
        deployment=deployment,
        lists=lists,
        candidates=discover(),
        snapshot=snapshot,
        database=state,
        database_error=database_error,
    )
