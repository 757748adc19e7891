"""The releases that ``plugin diff`` compares: what a database recorded, what is installed, what a wheel holds."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from platform_core.conf.deployment import Deployment
from platform_core.registry.discovery import discover
from platform_core.registry.lists import Lists
from platform_core.registry.observation import connected, read_ledger
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.targets import find_target
from platform_core.registry.trial import require_boot, take_snapshots
from platform_core.registry.wheels import unpacked

RECORDED = "recorded"
INSTALLED = "installed"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One side of a comparison; ``version`` is empty when the plugin was never recorded."""

    source: str
    distribution: str
    version: str
    contents: Sequence[Row]

    def as_dict(self) -> dict[str, str]:
        """Return which release it is, as plain JSON data."""
        return {
            "source": self.source,
            "distribution": self.distribution,
            "version": self.version,
        }


def read_release(deployment: Deployment, slug: str, source: str) -> Release:
    """Return the release of plugin ``slug`` that ``source`` names: ``recorded``, ``installed``, or a wheel's path.

    An installed release or a wheel is booted in a process of its own, beside the plugins of the deployment. Raises
    PluginErrors when it does not boot, the file is no wheel of this plugin, or the database cannot be asked.
    """
    if source == RECORDED:
        return _recorded(deployment, slug)
    place = nullcontext(None) if source == INSTALLED else unpacked(Path(source))
    with place as folder:
        return _booted(deployment, slug, source, folder)


def _recorded(deployment: Deployment, slug: str) -> Release:
    try:
        with connected(deployment) as connection:
            found = read_ledger(connection).get(slug)
    except (psycopg.OperationalError, OSError) as error:
        raise _problem(
            slug,
            "database_unreachable",
            f"The database cannot be asked what it recorded ({type(error).__name__}).",
            "Start it, or compare two wheels: --from A.whl --to B.whl.",
        ) from error
    if found is None:
        return Release(source=RECORDED, distribution="", version="", contents=())
    return Release(
        source=RECORDED,
        distribution=found.distribution,
        version=found.version,
        contents=found.contents,
    )


def _booted(deployment: Deployment, slug: str, source: str, folder: Path | None) -> Release:
    path = [str(folder), *sys.path] if folder else sys.path
    candidates = discover(importlib.metadata.distributions(path=path))
    if folder is not None and slug not in discover(
        importlib.metadata.distributions(path=[str(folder)])
    ):
        raise _problem(
            slug,
            "other_plugin",
            f"{source} does not provide this plugin.",
            "Name a wheel of this plugin's distribution.",
        )
    core = deployment.core
    current = Lists(plugins=tuple(core.plugins), dormant=tuple(core.dormant_plugins))
    lists = find_target(current, candidates, enable=[slug]).lists
    (snapshot,) = take_snapshots(
        [lists], with_database=False, first_on_path=folder, contents=True, placeholders=True
    )
    require_boot(snapshot)
    plugin = snapshot["plugins"][slug]
    if plugin["state"] != "enabled":  # a policy for broken plugins kept it out
        raise _problem(
            slug,
            "not_started",
            f"{plugin['distribution']} {plugin['version']} does not start: it is {plugin['state']}.",
            "platformctl plugin doctor says why; repair the release.",
        )
    return Release(
        source=os.fspath(source),
        distribution=plugin["distribution"],
        version=plugin["version"],
        contents=snapshot["contents"][slug],
    )


def _problem(slug: str, code: str, message: str, way_out: str) -> PluginErrors:
    return PluginErrors([PluginProblem(plugin=slug, code=code, message=message, way_out=way_out)])
