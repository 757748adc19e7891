"""Turn the wanted lists of plugins into an ordered set to load, or into every reason why that cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from platform_core.plugin import PluginConfig
from platform_core.registry.discovery import Candidate, Candidates
from platform_core.registry.holding import HeldBack, Standings
from platform_core.registry.problems import PluginProblem
from platform_core.registry.requirements import required_slugs, requirement_problems
from platform_core.registry.selection import (
    RESERVED_SLUGS,
    choose,
    import_config,
    list_problems,
)

State = Literal["enabled", "dormant", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A loaded plugin of this deployment with its state and the slugs it requires."""

    slug: str
    state: State
    config: type[PluginConfig]
    candidate: Candidate
    requires: tuple[str, ...]

    @property
    def enabled(self) -> bool:
        """Whether it contributes; any other plugin only keeps its models and migrations."""
        return self.state == "enabled"

    @property
    def app(self) -> str:
        """The entry for Django's ``INSTALLED_APPS``."""
        return f"{self.config.__module__}.{self.config.__qualname__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The plugins in load order, the problems found on the way there, and what is not as the lists ask.

    ``listed`` holds every slug of both lists, loaded or not; ``waiting`` the glue plugins with what they wait for.
    """

    plugins: tuple[Plugin, ...]
    problems: tuple[PluginProblem, ...]
    listed: frozenset[str] = frozenset()
    waiting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held_back: tuple[HeldBack, ...] = ()

    def with_state(self, state: State) -> tuple[Plugin, ...]:
        """Return the plugins in ``state``, in load order."""
        return tuple(plugin for plugin in self.plugins if plugin.state == state)

    @property
    def indispensable(self) -> frozenset[str]:
        """The plugin with the user model and what it requires: these cannot be held back."""
        return _indispensable(self.plugins)


@dataclass(slots=True, kw_only=True)
class _Draft:
    """The set as it takes shape: states by slug, what is loaded, and why a glue plugin is not active."""

    states: dict[str, State]
    candidates: dict[str, Candidate] = field(default_factory=dict)
    configs: dict[str, type[PluginConfig]] = field(default_factory=dict)
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asleep: tuple[str, ...] = ()


def resolve(
    enabled: Sequence[str],
    dormant: Sequence[str],
    candidates: Candidates,
    *,
    reserved: frozenset[str] = RESERVED_SLUGS,
    held: Standings | None = None,
    safe_mode: bool = False,
) -> Resolution:
    """Resolve the two lists against what is installed; never raises for a bad plugin.

    What is wrong with a plugin that is ``held`` back is not told again. In ``safe_mode`` only the plugin with the user
    model stays enabled, with what it requires.
    """
    held = held or {}
    problems = [one for one in list_problems(enabled, dormant) if one.plugin not in held]
    states: dict[str, State] = dict.fromkeys(dormant, "dormant")
    states |= dict.fromkeys(enabled, "enabled")
    listed = frozenset(states)
    states |= {slug: "quarantined" for slug in held if slug in states}
    draft = _Draft(
        states={slug: state for slug, state in states.items() if held.get(slug) != "broken"}
    )
    _import_configs(draft, candidates, reserved, problems)
    _set_glue_aside(draft)
    if safe_mode:
        _put_to_sleep(draft, candidates)
    loaded = {slug: _plugin(draft, slug, candidates) for slug in draft.configs}
    for slug, config in draft.configs.items():
        found = requirement_problems(
            draft.candidates[slug],
            {one: draft.states.get(one, "not loaded") for one in listed},
            candidates,
            optional=config.enabled_with,
        )
        problems += () if slug in held else found
    ordered, cycle = _ordered(loaded)
    if cycle:
        problems.append(_cycle_problem(cycle))
    problems += _conflicts(ordered)
    problems += _user_model_problems(
        ordered, draft.states, all_loaded=set(draft.states) == set(loaded)
    )
    return Resolution(
        plugins=ordered,
        problems=tuple(problems),
        listed=listed,
        waiting=draft.waiting,
        held_back=tuple(HeldBack(slug=slug, state="safe_mode") for slug in draft.asleep),
    )


def _import_configs(
    draft: _Draft,
    candidates: Candidates,
    reserved: frozenset[str],
    problems: list[PluginProblem],
) -> None:
    for slug in draft.states:
        candidate, problem = choose(slug, candidates, reserved)
        if problem:
            problems.append(problem)
        config = import_config(candidate, problems) if candidate else None
        if candidate and config:
            draft.candidates[slug] = candidate
            draft.configs[slug] = config


def _set_glue_aside(draft: _Draft) -> None:
    """Make glue dormant while a partner is not enabled, and leave it out while one is absent; glue may join glue."""
    changed = True
    while changed:
        changed = False
        for slug, config in tuple(draft.configs.items()):
            missing = tuple(
                one for one in config.enabled_with if draft.states.get(one) != "enabled"
            )
            if not missing or draft.waiting.get(slug) == missing:
                continue
            changed = True
            draft.waiting[slug] = missing
            if any(one not in draft.states for one in missing):
                del draft.states[slug], draft.configs[slug]
            elif draft.states[slug] == "enabled":
                draft.states[slug] = "dormant"


def _put_to_sleep(draft: _Draft, candidates: Candidates) -> None:
    loaded = [_plugin(draft, slug, candidates) for slug in draft.configs]
    awake = _indispensable(loaded)
    draft.asleep = tuple(one.slug for one in loaded if one.enabled and one.slug not in awake)
    draft.states |= dict.fromkeys(draft.asleep, "dormant")


def _plugin(draft: _Draft, slug: str, candidates: Candidates) -> Plugin:
    return Plugin(
        slug=slug,
        state=draft.states[slug],
        config=draft.configs[slug],
        candidate=draft.candidates[slug],
        requires=required_slugs(draft.candidates[slug], candidates),
    )


def _indispensable(plugins: Iterable[Plugin]) -> frozenset[str]:
    by_slug = {plugin.slug: plugin for plugin in plugins}
    found: set[str] = set()
    reached = [one.slug for one in by_slug.values() if one.enabled and one.config.auth_user_model]
    while reached:
        slug = reached.pop()
        if slug not in found:
            found.add(slug)
            reached += by_slug[slug].requires if slug in by_slug else ()
    return frozenset(found)


def _ordered(plugins: Mapping[str, Plugin]) -> tuple[tuple[Plugin, ...], tuple[str, ...]]:
    """Sort by dependency, then ``after``, then slug; return the order and a cycle, if there is one.

    The user model and what it requires come first among those that may: in a conflict the later plugin is at fault.
    """
    first = _indispensable(plugins.values())
    waits = {
        slug: {
            name
            for name in (*plugin.requires, *plugin.config.after, *plugin.config.enabled_with)
            if name in plugins
        }
        for slug, plugin in plugins.items()
    }
    order: dict[str, None] = {}
    while waits:
        ready = [slug for slug, on in waits.items() if on <= order.keys()]
        if not ready:
            return tuple(plugins[slug] for slug in order), _cycle(waits)
        chosen = min(ready, key=lambda slug: (slug not in first, slug))
        order[chosen] = None
        del waits[chosen]
    return tuple(plugins[slug] for slug in order), ()


def _cycle(waits: Mapping[str, set[str]]) -> tuple[str, ...]:
    path: list[str] = []
    slug = min(waits)
    while slug not in path:
        path.append(slug)
        slug = min(name for name in waits[slug] if name in waits)
    return tuple(path[path.index(slug) :])


def _cycle_problem(cycle: tuple[str, ...]) -> PluginProblem:
    return PluginProblem(
        plugin=cycle[0],
        code="dependency_cycle",
        place=" → ".join((*cycle, cycle[0])),
        message="These plugins require one another in a circle.",
        way_out="Remove one of the requirements; use hooks or events in that direction.",
    )


def _conflicts(ordered: Sequence[Plugin]) -> Iterator[PluginProblem]:
    """Yield a problem of the later plugin for each pair that must not be enabled together; either may say so."""
    enabled = [plugin for plugin in ordered if plugin.enabled]
    for place, later in enumerate(enabled):
        for earlier in enabled[:place]:
            said_by = [
                one
                for one, other in ((later, earlier), (earlier, later))
                if other.slug in one.config.conflicts
            ]
            if said_by:
                yield PluginProblem(
                    plugin=later.slug,
                    code="plugins_conflict",
                    place=f"{said_by[0].config.__module__}, conflicts",
                    message=f'"{later.slug}" must not be enabled together with "{earlier.slug}".',
                    way_out=f"Disable one of the two: platformctl plugin disable {later.slug}, "
                    f"or platformctl plugin disable {earlier.slug}.",
                )


def _user_model_problems(
    plugins: Sequence[Plugin], states: Mapping[str, State], *, all_loaded: bool
) -> list[PluginProblem]:
    owners = [plugin for plugin in plugins if plugin.config.auth_user_model]
    enabled = [plugin for plugin in owners if plugin.enabled]
    problems = [
        PluginProblem(
            plugin=plugin.slug,
            code="user_model_dormant",
            place="PLATFORM_DORMANT_PLUGINS",
            message="It brings the user model, which can be neither absent nor dormant.",
            way_out=f'Move "{plugin.slug}" to PLATFORM_PLUGINS.',
        )
        for plugin in owners
        if not plugin.enabled
    ]
    if len(enabled) > 1:
        names = ", ".join(plugin.slug for plugin in enabled)
        problems.append(
            PluginProblem(
                plugin=enabled[0].slug,
                code="two_user_models",
                place=", ".join(str(plugin.config.auth_user_model) for plugin in enabled),
                message=f"More than one enabled plugin brings a user model: {names}.",
                way_out="Enable only one of them.",
            )
        )
    if not owners and all_loaded:
        listed = ", ".join(states) or "none"
        problems.append(
            PluginProblem(
                plugin="",
                code="no_user_model",
                place="PLATFORM_PLUGINS",
                message=f"No enabled plugin brings a user model (listed: {listed}).",
                way_out="Enable one that does, such as identity.",
            )
        )
    return problems
