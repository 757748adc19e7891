"""What a plugin requires by its distribution's metadata, and whether it is there in version and state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import platform_core
from platform_core.registry.discovery import Candidate, Candidates
from platform_core.registry.problems import PluginProblem
from platform_core.registry.selection import RESERVED_SLUGS, choose

CORE_DISTRIBUTION = "platform-core"


def required_slugs(candidate: Candidate, candidates: Candidates) -> tuple[str, ...]:
    """Return the slugs of the plugins that ``candidate`` requires."""
    return tuple(one.slug for _, one in _required_plugins(candidate, candidates))


def installation_problems(slug: str, candidates: Candidates) -> list[PluginProblem]:
    """Return what is wrong with an installed plugin by its metadata alone; nothing is imported."""
    candidate, problem = choose(slug, candidates, RESERVED_SLUGS)
    if candidate is None:
        return [problem] if problem else []
    return list(_wrong_versions(candidate, candidates))


def requirement_problems(
    candidate: Candidate,
    states: Mapping[str, str],
    candidates: Candidates,
    *,
    optional: Collection[str] = (),
) -> list[PluginProblem]:
    """Return what is wrong with versions and states of what ``candidate`` requires.

    ``states`` are those of the plugins that will be loaded. The state of an ``optional`` one does not matter.
    """
    own = states.get(candidate.slug)
    return [
        *_wrong_versions(candidate, candidates),
        *(
            PluginProblem(
                plugin=candidate.slug,
                code="requirement_not_enabled",
                place=f"{candidate.distribution}, Requires-Dist: {requirement}",
                message=f'It needs the plugin "{one.slug}", which is '
                f"{states.get(one.slug, 'not listed')}.",
                way_out=f'Enable "{one.slug}", or make "{candidate.slug}" dormant or remove it.',
            )
            for requirement, one in _required_plugins(candidate, candidates)
            if one.slug not in optional and not _state_suffices(own, states.get(one.slug))
        ),
    ]


def _required_plugins(
    candidate: Candidate, candidates: Candidates
) -> Iterator[tuple[Requirement, Candidate]]:
    by_distribution = {one.distribution: one for group in candidates.values() for one in group}
    for requirement in candidate.requirements:
        one = by_distribution.get(canonicalize_name(requirement.name))
        if one is not None:
            yield requirement, one


def _wrong_versions(candidate: Candidate, candidates: Candidates) -> Iterator[PluginProblem]:
    versions = {one.distribution: one.version for group in candidates.values() for one in group}
    versions[CORE_DISTRIBUTION] = platform_core.__version__
    for requirement in candidate.requirements:
        name = canonicalize_name(requirement.name)
        installed = versions.get(name)
        if installed is None or requirement.specifier.contains(installed, prereleases=True):
            continue
        yield PluginProblem(
            plugin=candidate.slug,
            code="wrong_version",
            place=f"{candidate.distribution} {candidate.version}, Requires-Dist: {requirement}",
            message=f"It needs {name}{requirement.specifier}, but {installed} is installed.",
            way_out=f"Install a matching {name}, or another version of {candidate.distribution}.",
        )


def _state_suffices(own: str | None, required: str | None) -> bool:
    return required == "enabled" or (required in {"dormant", "quarantined"} and own != "enabled")
