"""Values that a release's new required settings accept, so that it can be looked at before they are set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from platform_core.conf.settings import PluginSettings, SettingsFailure, load_settings
from platform_core.registry.settings_report import describe_settings

CANDIDATES = (
    *("placeholder", "1", "1000", "true", "2030-01-01", "2030-01-01T00:00:00Z"),
    *("https://example.org/", "nobody@example.org", "127.0.0.1", "/", "[]", "{}"),
)


def placeholders_for(
    cls: type[PluginSettings] | None, slug: str, section: Mapping[str, Any]
) -> dict[str, str]:
    """Return by variable a value for each setting that is missing; none where no common one is accepted."""
    if cls is None:
        return {}
    found: dict[str, str] = {}
    for one in describe_settings(cls, slug, section, os.environ):
        variable = one["variable"]
        if one["source"] != "missing":
            continue
        for value in CANDIDATES:
            environ = {**os.environ, **found, variable: value}
            if variable not in _refused(cls, slug, section, environ):
                found[variable] = value
                break
    return found


def _refused(
    cls: type[PluginSettings], slug: str, section: Mapping[str, Any], environ: Mapping[str, str]
) -> set[str]:
    try:
        load_settings(cls, f"PLUGIN_{slug.upper()}_", section=section, environ=environ, owner=slug)
    except SettingsFailure as failure:
        return {problem.place for problem in failure.problems}
    return set()
