"""The lists that enabling or disabling plugins leads to, with what has to go along and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from platform_core.registry.discovery import Candidates
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.requirements import required_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A plugin whose state changes; ``because`` names the plugin that takes it along, empty when it was asked for."""

    slug: str
    before: str
    after: str
    because: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the change as plain JSON data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The lists that are wanted, and the changes that lead there from the present ones."""

    current: Lists
    lists: Lists
    changes: tuple[Change, ...]


def find_target(
    current: Lists,
    candidates: Candidates,
    *,
    enable: Sequence[str] = (),
    disable: Sequence[str] = (),
    kept: Collection[str] | None = (),
    user_model: str = "",
) -> Target:
    """Return the lists after ``enable`` and ``disable``, with requirements and dependents taken along.

    A plugin that is disabled becomes dormant when it is in ``kept``, the plugins that this database knows (None: it
    could not be asked), else it leaves the lists. Raises PluginErrors for a plugin that does not exist, for the one
    with the user model (``user_model``), and for wishes that contradict one another.
    """
    requires = {slug: required_by(group[0], candidates) for slug, group in candidates.items()}
    rising = _closure(enable, requires)
    listed = {*current.plugins, *current.dormant}
    dependents = {
        slug: [one for one in current.plugins if slug in requires.get(one, ())] for slug in listed
    }
    falling = _closure([slug for slug in disable if slug in current.plugins], dependents)
    _refuse(candidates, enable, disable, listed, rising, falling, user_model)
    plugins = [slug for slug in current.plugins if slug not in falling]
    plugins += [slug for slug in rising if slug not in plugins]
    needed = {name for slug in (*plugins, *current.dormant) for name in requires.get(slug, ())}
    dormant = [slug for slug in current.dormant if slug not in rising]
    for slug in falling:
        if kept is None or slug in kept or slug in needed:
            dormant.append(slug)
            needed |= set(requires.get(slug, ()))
    lists = Lists(plugins=tuple(plugins), dormant=tuple(dormant))
    because = {**falling, **rising}
    changes = [
        Change(
            slug=slug,
            before=current.state_of(slug),
            after=lists.state_of(slug),
            because=because.get(slug, ""),
        )
        for slug in (*rising, *falling)
        if current.state_of(slug) != lists.state_of(slug)
    ]
    return Target(current=current, lists=lists, changes=tuple(changes))


def _closure(start: Sequence[str], edges: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return everything reached from ``start``, what lies farthest first, each with the slug that led to it."""
    found: dict[str, str] = {}

    def visit(slug: str, because: str, path: tuple[str, ...]) -> None:
        if slug in path or slug in found:
            return
        for other in edges.get(slug, ()):
            visit(other, "" if other in start else slug, (*path, slug))
        found[slug] = because

    for slug in start:
        visit(slug, "", ())
    return found


def _refuse(
    candidates: Candidates,
    enable: Sequence[str],
    disable: Sequence[str],
    listed: Collection[str],
    rising: Mapping[str, str],
    falling: Mapping[str, str],
    user_model: str,
) -> None:
    problems = [
        _problem(
            slug,
            "unknown_plugin",
            "No installed distribution provides this plugin.",
            f"Installed: {', '.join(candidates) or 'none'}.",
        )
        for slug in dict.fromkeys((*enable, *disable))
        if slug not in candidates and not (slug in disable and slug in listed)
    ]
    problems += [
        _problem(
            slug,
            "contradiction",
            "It is to be disabled, and it is to be enabled or required by what is.",
            "Ask for one of the two.",
        )
        for slug in sorted(set(rising) & {*falling, *disable})
    ]
    if user_model and user_model in falling:
        problems.append(
            _problem(
                user_model,
                "user_model_dormant",
                "It brings the user model, which can be neither absent nor dormant.",
                "Leave it enabled.",
            )
        )
    if problems:
        raise PluginErrors(problems)


def _problem(slug: str, code: str, message: str, way_out: str) -> PluginProblem:
    return PluginProblem(plugin=slug, code=code, message=message, way_out=way_out)


def as_document(target: Target) -> dict[str, Any]:
    """Return the target as plain JSON data."""
    return {
        "current": target.current.as_dict(),
        "target": target.lists.as_dict(),
        "changes": [change.as_dict() for change in target.changes],
    }
