"""The installed plugins of a deployment, and everything about one of them."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from platform_core.conf.deployment import Deployment
from platform_core.conf.settings import SettingsFailure, load_settings
from platform_core.registry import quarantine
from platform_core.registry.apps_trial import ended_by_apps
from platform_core.registry.discovery import Candidate, Candidates, discover
from platform_core.registry.holding import Standings
from platform_core.registry.lists import Lists
from platform_core.registry.plan import Observed, observe
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.requirements import installation_problems, required_slugs
from platform_core.registry.resolution import Resolution, resolve
from platform_core.registry.targets import find_target
from platform_core.registry.trial import Snapshot, take_snapshots
from platform_core.registry.verdict import Case, last_verdict

INCOMPATIBLE = frozenset({"wrong_version", "requirement_not_enabled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """The lists resolved, with what is wrong by settings alone and what was found at the last start."""

    resolution: Resolution
    problems: Sequence[PluginProblem]


def list_plugins(deployment: Deployment) -> list[dict[str, Any]]:
    """Return every installed or listed plugin with its state and its problems, by slug.

    A state beside enabled, dormant and available: ``quarantined`` or ``broken`` (by quarantine, as the last start
    found), ``waiting`` (glue), ``incompatible`` with what is installed, or ``broken``.
    """
    candidates = discover()
    lists = _lists(deployment)
    judged = _judge(deployment, candidates)
    slugs = sorted({*candidates, *lists.plugins, *lists.dormant})
    return [_entry(slug, lists, candidates, judged) for slug in slugs]


def held_back(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the plugins that are held back, as far as that is known without starting anything."""
    return [one.as_dict() for one in _judge(deployment, discover()).resolution.held_back]


def _lists(deployment: Deployment) -> Lists:
    core = deployment.core
    return Lists(plugins=tuple(core.plugins), dormant=tuple(core.dormant_plugins))


def _judge(deployment: Deployment, candidates: Candidates) -> _Judged:
    lists = _lists(deployment)
    core = deployment.core

    def attempt(held: Standings) -> _Judged:
        resolution = resolve(
            lists.plugins, lists.dormant, candidates, held=held, safe_mode=core.safe_mode
        )
        problems = [*resolution.problems, *_settings_problems(deployment, resolution)]
        return _Judged(resolution=resolution, problems=problems)

    ended = ended_by_apps(candidates, {*lists.plugins, *lists.dormant})
    left_out: Standings = dict.fromkeys(ended, "broken")
    if core.on_plugin_error == "fail" and not core.safe_mode:
        return _with(ended, attempt(left_out))
    cases = quarantine.Cases(
        {slug: Case(standing="broken", problems=(one,)) for slug, one in ended.items()}
    )
    cases.adopt(last_verdict(deployment.data_dir, lists))
    try:
        found = quarantine.settle(attempt, cases)
    except PluginErrors:  # it does not start at all; that is to be seen too
        return _with(ended, attempt(left_out))
    return replace(found, resolution=cases.told(found.resolution))


def _with(ended: Mapping[str, PluginProblem], judged: _Judged) -> _Judged:
    return replace(judged, problems=[*judged.problems, *ended.values()])


def _entry(slug: str, lists: Lists, candidates: Candidates, judged: _Judged) -> dict[str, Any]:
    group = candidates.get(slug, ())
    resolution = judged.resolution
    listed = lists.state_of(slug)
    own = [problem for problem in judged.problems if problem.plugin == slug]
    if listed == "available":
        own = installation_problems(slug, candidates)
    held = next((one for one in resolution.held_back if one.slug == slug), None)
    state = "waiting" if slug in resolution.waiting and listed == "enabled" else listed
    if held:
        own = list(held.problems)
        state = "dormant" if held.state == "safe_mode" else held.state
    elif own:
        state = "incompatible" if {one.code for one in own} <= INCOMPATIBLE else "broken"
    return {
        "slug": slug,
        "version": ", ".join(one.version for one in group),
        "state": state,
        "listed": listed,
        "held_back": held.state if held else "",
        "because": held.because if held else "",
        "waits_for": list(resolution.waiting.get(slug, ())),
        "distribution": ", ".join(one.distribution for one in group),
        "summary": group[0].summary if group else "",
        "requires": list(required_slugs(group[0], candidates)) if group else [],
        "problems": [problem.as_dict() for problem in own],
    }


def _settings_problems(deployment: Deployment, resolution: Resolution) -> list[PluginProblem]:
    found: list[PluginProblem] = []
    for plugin in resolution.with_state("enabled"):
        if plugin.config.settings_class is None:
            continue
        try:
            load_settings(
                plugin.config.settings_class,
                f"PLUGIN_{plugin.slug.upper()}_",
                section=deployment.plugin_sections.get(plugin.slug, {}),
                environ=os.environ,
                owner=plugin.slug,
            )
        except SettingsFailure as failure:
            found += failure.problems
    return found


def inspect_plugin(deployment: Deployment, slug: str) -> dict[str, Any]:
    """Return everything about one plugin; what it contributes is found by starting it, enabled, in another process.

    Raises PluginErrors when no installed distribution provides it.
    """
    candidates = discover()
    entry = next((one for one in list_plugins(deployment) if one["slug"] == slug), None)
    if entry is None or slug not in candidates:
        find_target(Lists(), candidates, enable=[slug])
    assert entry is not None
    wanted = find_target(_lists(deployment), candidates, enable=[slug]).lists
    (snapshot,) = take_snapshots([wanted], with_database=False)
    held = [one for one in snapshot.get("held_back", ()) if one["slug"] == slug]
    problems = entry["problems"] or [
        *snapshot.get("problems", ()),
        *(problem for one in held for problem in one["problems"]),
    ]
    return {
        **entry,
        "ok": bool(snapshot.get("ok")) and not problems,
        "metadata": _metadata(candidates[slug][0]),
        "contributions": _contributions(snapshot, slug),
        "publishes": _published(snapshot, slug),
        "settings": snapshot.get("settings", {}).get(slug, []),
        "personal_data": [
            column for column, owner in snapshot.get("personal_data", {}).items() if owner == slug
        ],
        "migrations": _migrations(snapshot, slug, observe(deployment)),
        "problems": problems,
    }


def _metadata(candidate: Candidate) -> dict[str, Any]:
    found = importlib.metadata.metadata(candidate.distribution)

    def values(name: str) -> list[str]:
        return [str(value) for value in found.get_all(name) or ()]

    return {
        "licence": (values("License-Expression") or values("License") or [""])[0],
        "authors": [*values("Author"), *values("Author-email")],
        "links": [*values("Project-URL"), *values("Home-page")],
        "requires": values("Requires-Dist"),
        "requires_python": (values("Requires-Python") or [""])[0],
    }


def _contributions(snapshot: Snapshot, slug: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    every: Mapping[str, list[dict[str, str]]] = snapshot.get("contributions", {})
    for hook, entries in every.items():
        own = [one for one in entries if one["owner"] == slug]
        if own:
            found[hook] = [{"name": one["name"], "place": one["place"]} for one in own]
    return found


def _published(snapshot: Snapshot, slug: str) -> list[dict[str, Any]]:
    """Return the hooks that the plugin publishes, each with who implements it in this deployment."""
    hooks = snapshot.get("published_hooks", {})
    every: Mapping[str, list[dict[str, str]]] = snapshot.get("contributions", {})
    return [
        {
            "name": name,
            "summary": hook["summary"],
            "place": hook["place"],
            "implemented_by": [
                {"owner": one["owner"], "name": one["name"], "place": one["place"]}
                for one in every.get(name, ())
            ],
        }
        for name, hook in hooks.items()
        if hook["owner"] == slug
    ]


def _migrations(snapshot: Snapshot, slug: str, observed: Observed | None) -> list[dict[str, Any]]:
    """Return the plugin's migrations; ``applied`` is None when the database cannot be asked."""
    return [
        {
            "name": name,
            "applied": None if observed is None else f"{slug}.{name}" in observed.migrations,
        }
        for name in snapshot.get("migrations", {}).get(slug, ())
    ]
