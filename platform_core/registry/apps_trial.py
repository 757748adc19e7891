"""Find the plugins whose ``apps.py`` ends the process that imports it, before a command imports them itself."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from platform_core.registry.discovery import Candidate, Candidates
from platform_core.registry.endings import Ending
from platform_core.registry.holding import Standings
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginProblem
from platform_core.registry.resolution import Resolution, resolve
from platform_core.registry.selection import import_config
from platform_core.registry.steps import telling


def ended_by_apps(
    candidates: Candidates, slugs: Collection[str] | None = None
) -> Mapping[str, PluginProblem]:
    """Return what is wrong with each plugin whose ``apps.py`` a forked process did not survive; all by default.

    An exception there is none of that: whoever imports it sees it.
    """
    left = [
        group[0]
        for slug, group in candidates.items()
        if len(group) == 1 and (slugs is None or slug in slugs)
    ]
    found: dict[str, PluginProblem] = {}
    while problem := _try(left, candidates):
        found[problem.plugin] = problem
        left = [one for one in left if one.slug != problem.plugin]
    return found


def resolve_surviving(lists: Lists, candidates: Candidates) -> Resolution:
    """Resolve ``lists`` without the plugins that would end this process; what they did is among the problems."""
    ended = ended_by_apps(candidates, {*lists.plugins, *lists.dormant})
    held: Standings = dict.fromkeys(ended, "broken")
    found = resolve(lists.plugins, lists.dormant, candidates, held=held)
    return replace(found, problems=(*found.problems, *ended.values()))


def without(candidates: Candidates, slugs: Collection[str]) -> Candidates:
    """Return the candidates but for those of ``slugs``."""
    return {slug: group for slug, group in candidates.items() if slug not in slugs}


def _try(ones: Sequence[Candidate], candidates: Candidates) -> PluginProblem | None:
    """Import them in a forked process, and return the problem of the one that ends it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _import_all(ones, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read().decode("utf-8", "replace")
    _, status = os.waitpid(child, 0)
    ending = Ending(told, os.waitstatus_to_exitcode(status))
    return ending.problem(candidates) if ending.step[0] else None


def _import_all(ones: Sequence[Candidate], writer: int) -> None:
    """Import each, say nothing but where that has come to, and end the process."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        with telling(writer):
            for one in ones:
                import_config(one, [])
    finally:
        os._exit(0)
