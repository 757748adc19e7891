"""Where a process and the ledger differ: which plugin, in what, and whether to restart or to migrate."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from platform_core.registry.contents import Registry
from platform_core.registry.problems import PluginProblem
from platform_core.registry.resolution import Plugin


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of one plugin."""

    version: str
    state: str
    digest: str
    contents_digest: str
    changed_at: datetime.datetime


def skew_between(
    registry: Registry,
    recorded: Mapping[str, Known],
    *,
    started_at: datetime.datetime,
    held_back: Collection[str] = (),
) -> list[PluginProblem]:
    """Return a problem for each plugin that is loaded otherwise than it is recorded; ``started_at`` is the process's.

    Plugins that are ``held_back`` are told as such, and keep no process from serving the others.
    """
    found = _skew(registry, recorded, started_at)
    return [problem for problem in found if problem.plugin not in held_back]


def _skew(
    registry: Registry, recorded: Mapping[str, Known], started_at: datetime.datetime
) -> Iterator[PluginProblem]:
    for plugin in registry.plugins:
        known = recorded.get(plugin.slug)
        if known is None:
            message = f"This process has loaded {_named(plugin)}, which the database does not know."
            yield _problem(plugin, message, "Run platformctl migrate.")
        elif known.contents_digest != registry.digest_of(plugin):
            yield _problem(plugin, _message(plugin, known), _way_out(plugin, known, started_at))


def _problem(plugin: Plugin, message: str, way_out: str) -> PluginProblem:
    place = f"{plugin.candidate.distribution} {plugin.candidate.version}"
    return PluginProblem(
        plugin=plugin.slug, code="digest_skew", place=place, message=message, way_out=way_out
    )


def _named(plugin: Plugin) -> str:
    return f"{plugin.slug} {plugin.candidate.version} ({plugin.state})"


def _message(plugin: Plugin, known: Known) -> str:
    synchronised = f"the database was synchronised with {known.version} ({known.state})"
    if (plugin.candidate.version, plugin.state) == (known.version, known.state):
        return f"This process has loaded other contributions of {_named(plugin)} than the database was synchronised with."
    return f"This process has loaded {_named(plugin)}, but {synchronised}."


def _way_out(plugin: Plugin, known: Known, started_at: datetime.datetime) -> str:
    if _is_older(plugin.candidate.version, known.version):
        return (
            f"Restart this process; if that does not help, install {plugin.candidate.distribution} "
            f"{known.version} where it runs."
        )
    if known.changed_at > started_at:
        return "Restart this process, so that it loads what is installed and listed now."
    return "Run platformctl migrate."


def _is_older(version: str, other: str) -> bool:
    try:
        return Version(version) < Version(other)
    except InvalidVersion:
        return False
