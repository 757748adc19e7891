"""Turn the wanted lists of plugins into an ordered set to load, or into every reason why that cannot be."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.utils import canonicalize_name

import platform_core
from platform_core.plugin import PluginConfig
from platform_core.registry.costs import noted
from platform_core.registry.discovery import Candidate, Candidates
from platform_core.registry.problems import PluginProblem, location_of

State = Literal["enabled", "dormant"]

SLUG = re.compile(r"[a-z][a-z0-9_]*\Z")
RESERVED_SLUGS = frozenset(
    [
        "system",
        "operations",
        "docs",
        "redoc",
        "openapi",
        "auth",
        "account",
        "manage",
        "platform_core",
    ]
)
CORE_DISTRIBUTION = "platform-core"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin of this deployment with its state and the slugs it requires."""

    slug: str
    state: State
    config: type[PluginConfig]
    candidate: Candidate
    requires: tuple[str, ...]

    @property
    def enabled(self) -> bool:
        """Whether it contributes; a dormant plugin only keeps its models and migrations."""
        return self.state == "enabled"

    @property
    def app(self) -> str:
        """The entry for Django's ``INSTALLED_APPS``."""
        return f"{self.config.__module__}.{self.config.__qualname__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The plugins in load order, and the problems found on the way there."""

    plugins: tuple[Plugin, ...]
    problems: tuple[PluginProblem, ...]

    def with_state(self, state: State) -> tuple[Plugin, ...]:
        """Return the plugins in ``state``, in load order."""
        return tuple(plugin for plugin in self.plugins if plugin.state == state)


def resolve(
    enabled: Sequence[str],
    dormant: Sequence[str],
    candidates: Candidates,
    *,
    reserved: frozenset[str] = RESERVED_SLUGS,
) -> Resolution:
    """Resolve the two lists against what is installed; never raises for a bad plugin."""
    problems = _list_problems(enabled, dormant)
    states: dict[str, State] = dict.fromkeys(dormant, "dormant")
    states |= dict.fromkeys(enabled, "enabled")
    chosen: dict[str, Candidate] = {}
    for slug in states:
        candidate, problem = _choose(slug, candidates, reserved)
        if problem:
            problems.append(problem)
        if candidate:
            chosen[slug] = candidate
    by_distribution = {
        candidate.distribution: candidate for group in candidates.values() for candidate in group
    }
    loaded: dict[str, Plugin] = {}
    for slug, candidate in chosen.items():
        requires, dependency_problems = _dependencies(candidate, states, by_distribution)
        problems += dependency_problems
        config = _import_config(candidate, problems)
        if config is not None:
            loaded[slug] = Plugin(
                slug=slug,
                state=states[slug],
                config=config,
                candidate=candidate,
                requires=tuple(requires),
            )
    ordered, cycle = _ordered(loaded)
    if cycle:
        problems.append(
            PluginProblem(
                plugin=cycle[0],
                code="dependency_cycle",
                place=" → ".join((*cycle, cycle[0])),
                message="These plugins require one another in a circle.",
                way_out="Remove one of the requirements; use hooks or events in that direction.",
            )
        )
    problems += _user_model_problems(ordered, states, all_loaded=set(states) == set(loaded))
    return Resolution(plugins=ordered, problems=tuple(problems))


def _list_problems(enabled: Sequence[str], dormant: Sequence[str]) -> list[PluginProblem]:
    return [
        PluginProblem(
            plugin=slug,
            code="listed_twice",
            place="PLATFORM_PLUGINS, PLATFORM_DORMANT_PLUGINS",
            message="It is listed both as enabled and as dormant.",
            way_out="Keep it in one of the two lists.",
        )
        for slug in sorted(set(enabled) & set(dormant))
    ]


def _choose(
    slug: str, candidates: Candidates, reserved: frozenset[str]
) -> tuple[Candidate | None, PluginProblem | None]:
    if not SLUG.match(slug) or slug in reserved:
        return None, PluginProblem(
            plugin=slug,
            code="slug_not_allowed",
            place="PLATFORM_PLUGINS",
            message="This name is reserved or is not a slug.",
            way_out="A slug starts with a letter and holds a-z, 0-9 and _; "
            f"reserved: {', '.join(sorted(reserved))}.",
        )
    group = candidates.get(slug, ())
    if not group:
        near = difflib.get_close_matches(slug, candidates, n=1)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        return None, PluginProblem(
            plugin=slug,
            code="unknown_plugin",
            place="PLATFORM_PLUGINS",
            message="No installed distribution provides this plugin.",
            way_out=f"{hint}Install its wheel or remove it from the list. "
            f"Installed: {', '.join(sorted(candidates)) or 'none'}.",
        )
    if len(group) > 1:
        names = ", ".join(f"{item.distribution} {item.version}" for item in group)
        return None, PluginProblem(
            plugin=slug,
            code="duplicate_slug",
            place=names,
            message="More than one distribution provides this plugin.",
            way_out="Uninstall all but one of them.",
        )
    return group[0], None


def installation_problems(slug: str, candidates: Candidates) -> list[PluginProblem]:
    """Return what is wrong with an installed plugin by its metadata alone; nothing is imported."""
    candidate, problem = _choose(slug, candidates, RESERVED_SLUGS)
    if candidate is None:
        return [problem] if problem else []
    by_distribution = {one.distribution: one for group in candidates.values() for one in group}
    _, problems = _dependencies(candidate, {}, by_distribution)
    return [one for one in problems if one.code == "wrong_version"]


def _dependencies(
    candidate: Candidate, states: Mapping[str, State], by_distribution: Mapping[str, Candidate]
) -> tuple[list[str], list[PluginProblem]]:
    """Return the required slugs, and what is wrong with versions and states of requirements."""
    requires: list[str] = []
    problems: list[PluginProblem] = []
    for requirement in candidate.requirements:
        name = canonicalize_name(requirement.name)
        if name == CORE_DISTRIBUTION:
            installed = platform_core.__version__
            slug = None
        elif name in by_distribution:
            installed = by_distribution[name].version
            slug = by_distribution[name].slug
            requires.append(slug)
        else:
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            problems.append(
                PluginProblem(
                    plugin=candidate.slug,
                    code="wrong_version",
                    place=f"{candidate.distribution} {candidate.version}, Requires-Dist: {requirement}",
                    message=f"It needs {name}{requirement.specifier}, but {installed} is installed.",
                    way_out=f"Install a matching {name}, or another version of "
                    f"{candidate.distribution}.",
                )
            )
        if slug is not None and not _state_suffices(states.get(candidate.slug), states.get(slug)):
            problems.append(
                PluginProblem(
                    plugin=candidate.slug,
                    code="requirement_not_enabled",
                    place=f"{candidate.distribution}, Requires-Dist: {requirement}",
                    message=f'It needs the plugin "{slug}", which is '
                    f"{states.get(slug, 'not listed')}.",
                    way_out=f'Enable "{slug}", or make "{candidate.slug}" dormant or remove it.',
                )
            )
    return requires, problems


def _state_suffices(own: State | None, required: State | None) -> bool:
    return required == "enabled" or (required == "dormant" and own == "dormant")


def _import_config(
    candidate: Candidate, problems: list[PluginProblem]
) -> type[PluginConfig] | None:
    module_name, _, attribute = candidate.value.partition(":")
    try:
        with noted(candidate.slug, "apps"):
            config = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # whatever a stranger's module raises, the report has to go on
        problems.append(
            PluginProblem(
                plugin=candidate.slug,
                code="apps_import_failed",
                place=location_of(error, candidate.package, module_name),
                message=f"{module_name} cannot be imported: {type(error).__name__}: {error}.",
                way_out="Repair the plugin, or remove it from the lists.",
            )
        )
        return None
    wrong = _config_fault(config, candidate)
    if wrong:
        problems.append(
            PluginProblem(
                plugin=candidate.slug,
                code="config_invalid",
                place=candidate.value,
                message=wrong,
                way_out="Correct the plugin's apps.py or its entry point.",
            )
        )
        return None
    return config  # type: ignore[no-any-return]  # _config_fault has judged it


def _config_fault(config: object, candidate: Candidate) -> str:
    if not (isinstance(config, type) and issubclass(config, PluginConfig)):
        return "The entry point does not name a PluginConfig class."
    if getattr(config, "slug", None) != candidate.slug:
        return f'Its slug is {getattr(config, "slug", None)!r}, but the entry point is called "{candidate.slug}".'
    if getattr(config, "label", None) != candidate.slug:
        return f"Its app label is {getattr(config, 'label', None)!r}; the label has to be the slug."
    if config.name.split(".")[0] == "plugins":
        return "Its package is imported as plugins.…; ship a package with a name of its own."
    title = getattr(config, "title", None)
    if title is None or (isinstance(title, str) and not title):  # a lazy one cannot be read yet
        return "It has no title."
    return ""


def _ordered(plugins: Mapping[str, Plugin]) -> tuple[tuple[Plugin, ...], tuple[str, ...]]:
    """Sort by dependency, then ``after``, then slug; return the order and a cycle, if there is one."""
    waits = {
        slug: {name for name in (*plugin.requires, *plugin.config.after) if name in plugins}
        for slug, plugin in plugins.items()
    }
    order: list[str] = []
    while waits:
        ready = sorted(slug for slug, on in waits.items() if on <= set(order))
        if not ready:
            return tuple(plugins[slug] for slug in order), _cycle(waits)
        order.append(ready[0])
        del waits[ready[0]]
    return tuple(plugins[slug] for slug in order), ()


def _cycle(waits: Mapping[str, set[str]]) -> tuple[str, ...]:
    path: list[str] = []
    slug = min(waits)
    while slug not in path:
        path.append(slug)
        slug = min(name for name in waits[slug] if name in waits)
    return tuple(path[path.index(slug) :])


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
