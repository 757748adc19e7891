"""What a plugin leaves behind when it is off: nothing but its tables. Judged by booting the deployment so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from platform_core.api_versions import api_prefix
from platform_core.registry import installed
from platform_core.registry.discovery import discover
from platform_core.registry.resolution import resolve
from platform_core.testing.contract.nesting import nestings_of
from platform_core.testing.contract.subjects import PluginSubject

SOME_ID = "00000000-0000-7000-8000-000000000000"
_CALL = "from platform_core.testing.boot_report import report; report()"


def check_off_means_off(plugin: PluginSubject) -> None:
    """Assert that the dormant plugin has no routes, permissions or other contributions, and its models load.

    The plugin that brings the user model cannot be dormant; then that has to be refused.
    """
    asleep = dependents_of(plugin.slug)
    awake = [one.slug for one in installed().plugins if one.enabled and one.slug not in asleep]
    if plugin.plugin.config.auth_user_model:
        codes = {one.code for one in resolve(awake, asleep, discover()).problems}
        if "user_model_dormant" not in codes:
            raise AssertionError(f"{plugin.slug} brings the user model, yet may be dormant.")
        return
    check_dormant(plugin, asleep, boot(awake, asleep, addresses_of(plugin)))


def check_dormant(plugin: PluginSubject, asleep: Sequence[str], found: Mapping[str, Any]) -> None:
    """Assert that ``found``, the report of a booted deployment, has nothing of ``plugin`` but its models."""
    _require(plugin, "contributes", found["contributions"].get(plugin.slug))
    _require(plugin, "answers", [url for url, status in found["statuses"].items() if status != 404])
    _require(plugin, "imported", [name for name in found["hooks"] if name in _hooks(asleep)])
    if plugin.slug not in found["labels"]:
        raise AssertionError(f"{plugin.slug}: its models are not loaded while it is dormant.")


def dependents_of(slug: str) -> list[str]:
    """Return ``slug`` and the slugs of all plugins that cannot be enabled without it."""
    found = {slug}
    for one in installed().plugins:
        if found & set(one.requires):
            found.add(one.slug)
    return [one.slug for one in installed().plugins if one.slug in found]


def addresses_of(plugin: PluginSubject) -> list[str]:
    """Return the addresses that the enabled plugin serves."""
    found = [f"/{api_prefix(plugin.slug)}"]
    for subject in plugin.resources:
        found += [subject.url, f"{subject.url}{SOME_ID}/"]
        found += [one.url(SOME_ID) for one in nestings_of(subject)]
    routes = installed().of_plugin(plugin.slug, "routes")
    found += [f"/{api_prefix(plugin.slug)}{one.path}" for one in routes if "<" not in one.path]
    return found


def boot(enabled: Sequence[str], dormant: Sequence[str], urls: Sequence[str]) -> dict[str, Any]:
    """Boot the deployment of this run with other lists, in a process of its own, and return its report."""
    environment = os.environ | {
        "PLATFORM_PLUGINS": json.dumps(list(enabled)),
        "PLATFORM_DORMANT_PLUGINS": json.dumps(list(dormant)),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(  # noqa: S603  (our own module)
        [sys.executable, "-c", _CALL],
        input=json.dumps(list(urls)),
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(
            f"With {', '.join(dormant)} dormant the deployment does not boot:\n{done.stderr}"
        )
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def _hooks(slugs: Sequence[str]) -> set[str]:
    return {f"{one.config.name}.hooks" for one in installed().plugins if one.slug in slugs}


def _require(plugin: PluginSubject, verb: str, found: Any) -> None:
    if found:
        raise AssertionError(f"{plugin.slug} is dormant and still {verb} {', '.join(found)}.")
