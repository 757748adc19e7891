"""The lists that enabling or disabling plugins leads to, with what has to go along and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from platform_core.registry.discovery import Candidates
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.requirements import required_slugs
from platform_core.registry.selection import import_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A plugin whose state changes; ``because`` names the plugin that takes it along, empty when it was asked for.

    ``joins`` names the plugins that a glue plugin joins, when it comes or goes with them.
    """

    slug: str
    before: str
    after: str
    because: str = ""
    joins: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the change as plain JSON data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The lists that are wanted, and the changes that lead there from the present ones."""

    current: Lists
    lists: Lists
    changes: tuple[Change, ...]


def glue_of(candidates: Candidates) -> dict[str, tuple[str, ...]]:
    """Return the installed glue plugins with the slugs that each joins; their ``apps.py`` is imported."""
    found = {}
    for slug, group in candidates.items():
        config = import_config(group[0], []) if len(group) == 1 else None
        if config is not None and config.enabled_with:
            found[slug] = config.enabled_with
    return found


def find_target(
    current: Lists,
    candidates: Candidates,
    *,
    enable: Sequence[str] = (),
    disable: Sequence[str] = (),
    kept: Collection[str] | None = (),
    user_model: str = "",
    glue: Mapping[str, tuple[str, ...]] | None = None,
) -> Target:
    """Return the lists after ``enable`` and ``disable``, with requirements and dependents taken along.

    A plugin that is disabled becomes dormant when it is in ``kept``, the plugins that this database knows (None: it
    could not be asked), else it leaves the lists. Raises PluginErrors for a plugin that does not exist, for the one
    with the user model (``user_model``), and for wishes that contradict one another. A plugin of ``glue`` is enabled
    along when the change makes the last of those that it joins enabled, and goes along with the first that falls.
    """
    glue = glue or {}
    requires = {slug: required_slugs(group[0], candidates) for slug, group in candidates.items()}
    rising = _closure(enable, requires)
    listed = {*current.plugins, *current.dormant}
    dependents = {
        slug: [
            one
            for one in current.plugins
            if slug in requires.get(one, ()) or slug in glue.get(one, ())
        ]
        for slug in listed
    }
    falling = _closure([slug for slug in disable if slug in current.plugins], dependents)
    _refuse(candidates, enable, disable, listed, rising, falling, user_model)
    plugins = [slug for slug in current.plugins if slug not in falling]
    plugins += [slug for slug in rising if slug not in plugins]
    joining = _joining(plugins, current, requires, glue, {*falling, *disable})
    rising |= dict.fromkeys(joining, "")
    plugins += joining
    needed = {name for slug in (*plugins, *current.dormant) for name in requires.get(slug, ())}
    dormant = [slug for slug in current.dormant if slug not in rising]
    for slug in falling:
        if kept is None or slug in kept or slug in needed:
            dormant.append(slug)
            needed |= set(requires.get(slug, ()))
    lists = Lists(plugins=tuple(plugins), dormant=tuple(dormant))
    because = {**falling, **rising}
    along = {*joining, *_parting(falling, requires, glue)}
    changes = [
        Change(
            slug=slug,
            before=current.state_of(slug),
            after=lists.state_of(slug),
            because="" if slug in along else because.get(slug, ""),
            joins=glue[slug] if slug in along else (),
        )
        for slug in (*rising, *falling)
        if current.state_of(slug) != lists.state_of(slug)
    ]
    return Target(current=current, lists=lists, changes=tuple(changes))


def _joining(
    plugins: Sequence[str],
    current: Lists,
    requires: Mapping[str, Sequence[str]],
    glue: Mapping[str, tuple[str, ...]],
    unwanted: Collection[str],
) -> list[str]:
    """Return the glue plugins that have all they need only now; glue may join glue."""
    found: list[str] = []
    changed = True
    while changed:
        changed = False
        for slug, partners in glue.items():
            there = {*plugins, *found}
            complete = {*partners, *requires.get(slug, ())} <= there
            was_complete = set(partners) <= set(current.plugins)
            if complete and not was_complete and slug not in there and slug not in unwanted:
                found.append(slug)
                changed = True
    return found


def _parting(
    falling: Mapping[str, str],
    requires: Mapping[str, Sequence[str]],
    glue: Mapping[str, tuple[str, ...]],
) -> list[str]:
    """Return the glue plugins that fall with one that they join, though they do not require it."""
    return [
        slug
        for slug, because in falling.items()
        if because in glue.get(slug, ()) and because not in requires.get(slug, ())
    ]


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
