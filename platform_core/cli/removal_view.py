"""What an uninstall would remove, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.filesize import decimal
from rich.text import Text

from platform_core.cli.output import console, table


def show_preview(found: Mapping[str, Any]) -> None:
    """Print the tables with rows and sizes, and below them everything else that would go."""
    made = table(f"To be removed: {found['plugin']} ({found['state']})", "Table", "Rows", "Size")
    for one in found["tables"]:
        made.add_row(
            Text(one["name"], style="dim" if one["history"] else ""),
            str(one["rows"]),
            decimal(one["bytes"]),
        )
    console.print(made, soft_wrap=False)
    for one in found["elsewhere"]:
        _line(f"{one['name']}: {one['rows']} rows")
    for kind, count in found["grants"].items():
        _line(f"Grants, {kind}: {count}")
    if not found["grants_leave_with_it"]:
        _line("Grants: the source of grants cannot hand them out; they stay there.")
    _line(f"Migrations: {len(found['migrations'])}")
    _line(f"Files: {found['files']['count']}, {decimal(found['files']['bytes'])}")
    _line(f"Settings in platform.toml: {_joined(found['settings'])}")
    _line(f"Archive: {found['archive']}")


def _line(text: str) -> None:
    console.print(Text(f"  {text}"))


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
