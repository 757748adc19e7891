"""Find the plugins that are installed: entry points and metadata, nothing imported."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ENTRY_POINT_GROUP = "platform_core.plugins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An installed plugin as its distribution's metadata describes it; ``value`` is ``module:Class``."""

    slug: str
    value: str
    distribution: str
    version: str
    summary: str
    requirements: tuple[Requirement, ...]

    @property
    def package(self) -> str:
        """The importable package that holds the plugin."""
        return self.value.partition(":")[0].rpartition(".")[0]


Candidates = Mapping[str, tuple[Candidate, ...]]


def discover(
    distributions: Iterable[importlib.metadata.Distribution] | None = None,
) -> Candidates:
    """Return the installed plugins by slug; more than one entry means that distributions claim one slug.

    The first distribution of a name on the path counts, as it does for imports.
    """
    found: dict[str, list[Candidate]] = {}
    seen: set[str] = set()
    for distribution in distributions or importlib.metadata.distributions():
        entry_points = distribution.entry_points.select(group=ENTRY_POINT_GROUP)
        if not entry_points:
            continue
        metadata = distribution.metadata.json
        name = str(metadata["name"])
        if canonicalize_name(name) in seen:
            continue
        seen.add(canonicalize_name(name))
        for entry_point in entry_points:
            candidate = Candidate(
                slug=entry_point.name,
                value=entry_point.value,
                distribution=canonicalize_name(name),
                version=distribution.version,
                summary=str(metadata.get("summary", "")),
                requirements=_active_requirements(distribution.requires or ()),
            )
            found.setdefault(entry_point.name, []).append(candidate)
    return {slug: tuple(found[slug]) for slug in sorted(found)}


def _active_requirements(lines: Iterable[str]) -> tuple[Requirement, ...]:
    requirements = []
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # installers refuse such metadata; it says nothing about a dependency
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            requirements.append(requirement)
    return tuple(requirements)
