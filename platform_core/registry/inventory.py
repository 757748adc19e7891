"""The installed plugins of a deployment, and everything about one of them."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping
from typing import Any

from platform_core.conf.deployment import Deployment
from platform_core.conf.settings import SettingsFailure, load_settings
from platform_core.registry.configuration import Lists
from platform_core.registry.discovery import Candidate, Candidates, discover
from platform_core.registry.plan import Observed, Snapshot, observe, take_snapshots
from platform_core.registry.problems import PluginProblem
from platform_core.registry.resolution import Resolution, installation_problems, resolve
from platform_core.registry.targets import find_target, required_slugs

INCOMPATIBLE = frozenset({"wrong_version", "requirement_not_enabled"})


def list_plugins(deployment: Deployment) -> list[dict[str, Any]]:
    """Return every installed or listed plugin with its state and its problems, by slug.

    A state beside enabled, dormant and available: ``incompatible`` with what is installed, or ``broken``.
    """
    candidates = discover()
    core = deployment.core
    lists = Lists(plugins=tuple(core.plugins), dormant=tuple(core.dormant_plugins))
    resolution = resolve(lists.plugins, lists.dormant, candidates)
    problems = [*resolution.problems, *_settings_problems(deployment, resolution)]
    slugs = sorted({*candidates, *lists.plugins, *lists.dormant})
    return [_entry(slug, lists, candidates, problems) for slug in slugs]


def _entry(
    slug: str, lists: Lists, candidates: Candidates, problems: list[PluginProblem]
) -> dict[str, Any]:
    group = candidates.get(slug, ())
    own = [problem for problem in problems if problem.plugin == slug]
    if lists.state_of(slug) == "available":
        own = installation_problems(slug, candidates)
    state = lists.state_of(slug)
    if own:
        state = "incompatible" if {one.code for one in own} <= INCOMPATIBLE else "broken"
    return {
        "slug": slug,
        "version": ", ".join(one.version for one in group),
        "state": state,
        "listed": lists.state_of(slug),
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
    core = deployment.core
    lists = Lists(plugins=tuple(core.plugins), dormant=tuple(core.dormant_plugins))
    wanted = find_target(lists, candidates, enable=[slug]).lists
    (snapshot,) = take_snapshots([wanted], with_database=False)
    return {
        **entry,
        "ok": bool(snapshot.get("ok")) and not entry["problems"],
        "metadata": _metadata(candidates[slug][0]),
        "contributions": _contributions(snapshot, slug),
        "settings": snapshot.get("settings", {}).get(slug, []),
        "personal_data": [
            column for column, owner in snapshot.get("personal_data", {}).items() if owner == slug
        ],
        "migrations": _migrations(snapshot, slug, observe(deployment)),
        "problems": entry["problems"] or snapshot.get("problems", []),
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


def _migrations(snapshot: Snapshot, slug: str, observed: Observed | None) -> list[dict[str, Any]]:
    """Return the plugin's migrations; ``applied`` is None when the database cannot be asked."""
    return [
        {
            "name": name,
            "applied": None if observed is None else f"{slug}.{name}" in observed.migrations,
        }
        for name in snapshot.get("migrations", {}).get(slug, ())
    ]
