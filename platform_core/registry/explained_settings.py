"""``plugin explain`` of a setting: the value in force, where it comes from, and what it would be without the database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from platform_core.registry.situation import Situation

DATABASE: Final = "database"
HIDDEN: Final = "(not shown)"
UNKNOWN: Final = "unknown, for the plugin is not loaded"


def setting_in_force(
    situation: Situation, variable: str, source: str
) -> tuple[dict[str, Any], list[str]]:
    """Return the facts and the reasons of a setting; ``source`` is where its value comes from without the database.

    A value that may be secret is not shown.
    """
    row: Mapping[str, Any] = situation.snapshot.get("settings_in_force", {}).get(variable, {})
    source = str(row.get("source", source))
    facts: dict[str, Any] = {"source": source}
    if row:
        facts["value"] = row["value"] if row["shown"] else HIDDEN
    why = [f"Its value comes from: {source}{_whose(variable, source)}."]
    if source == DATABASE:
        facts["source_without"], facts["value_without"] = (
            row["source_without"],
            row["value_without"],
        )
        why.append(
            f"It was set at run time: platformctl settings history {variable}. "
            f"Without that it is {row['value_without']}, from: {row['source_without']}."
        )
    elif row.get("editable") and not situation.snapshot["settings_asked_database"]:
        why.append("Whether it was set at run time is unknown without the database.")
    if row.get("ignored"):
        why.append(f"A value that was set at run time does not count: {row['ignored']}")
    return facts, why


def _whose(variable: str, source: str) -> str:
    """Return which variable of the environment it is, where that is not said by its name."""
    by_file = source == "environment" and variable not in os.environ
    return f" (the file that {variable}_FILE names)" if by_file else ""
