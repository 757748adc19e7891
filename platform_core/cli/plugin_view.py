"""The installed plugins for people: all of them in a table, or one with everything about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from platform_core.cli.output import console, table

COLOURS = {"enabled": "green", "dormant": "yellow", "waiting": "yellow", "available": "default"}


def show_list(plugins: Sequence[Mapping[str, Any]]) -> None:
    """Print the plugins as a table, and below it what is wrong with which."""
    if not plugins:
        console.print("No plugin is installed.")
        return
    made = table("", "Plugin", "Version", "State", "Distribution", "Summary")
    for one in plugins:
        state = Text(one["state"], style=COLOURS.get(one["state"], "red"))
        others = (Text(one[name]) for name in ("distribution", "summary"))
        made.add_row(one["slug"], one["version"], state, *others)
    console.print(made, soft_wrap=False)
    for one in plugins:
        _show_reason(one)
        _show_problems(one)


def show_plugin(plugin: Mapping[str, Any]) -> None:
    """Print one plugin."""
    metadata = plugin["metadata"]
    console.print(
        Text.assemble(
            (f"{plugin['slug']} {plugin['version']}", "bold"),
            "  ",
            (plugin["state"], COLOURS.get(plugin["state"], "red")),
        )
    )
    if plugin["summary"]:
        console.print(Text(plugin["summary"]))
    _show_reason(plugin)
    facts = {
        "Distribution": plugin["distribution"],
        "Licence": metadata["licence"],
        "Authors": "; ".join(metadata["authors"]),
        "Links": "; ".join(metadata["links"]),
        "Requires": ", ".join(metadata["requires"]),
    }
    for name, value in facts.items():
        if value:
            console.print(Text(f"  {name}: {value}"))
    _show_contributions(plugin)
    if plugin["settings"]:
        _title("Settings")
    for setting in plugin["settings"]:
        need = "required" if setting["required"] else f"default {setting['default']}"
        text = f"  {setting['variable']}  {setting['type']}, {need}; from: {setting['source']}"
        console.print(Text(text, style="red" if setting["source"] == "missing" else ""))
    if plugin["personal_data"]:
        _title("Personal data")
    for column in plugin["personal_data"]:
        console.print(Text(f"  {column}"))
    if plugin["migrations"]:
        _title("Migrations")
    for migration in plugin["migrations"]:
        applied = {True: "applied", False: "not applied", None: "database not reachable"}
        console.print(Text(f"  {migration['name']}  {applied[migration['applied']]}"))
    _show_problems(plugin)


def _show_contributions(plugin: Mapping[str, Any]) -> None:
    verb = "Contributes" if plugin["listed"] == "enabled" else "Would contribute when enabled"
    for hook, entries in plugin["contributions"].items():
        _title(f"{verb}: {hook.replace('_', ' ')}")
        for entry in entries:
            console.print(Text.assemble(f"  {entry['name']}  ", (entry["place"], "dim")))
    if plugin["publishes"]:
        _title("Publishes hooks")
    for hook in plugin["publishes"]:
        console.print(Text.assemble(f"  {hook['name']}  ", (hook["place"], "dim")))
        for one in hook["implemented_by"]:
            line = f"    {one['owner']}: {one['name']}  "
            console.print(Text.assemble(line, (one["place"], "dim")))


def _show_reason(plugin: Mapping[str, Any]) -> None:
    """Print why the plugin is not in the state that the lists ask for, unless its problems say so."""
    if plugin["held_back"] == "safe_mode":
        console.print(Text(f"{plugin['slug']}: dormant, because the deployment is in safe mode"))
    if plugin["because"]:
        console.print(Text(f"{plugin['slug']}: held back, because it requires {plugin['because']}"))
    if plugin["waits_for"]:
        console.print(Text(f"{plugin['slug']}: waits for {', '.join(plugin['waits_for'])}"))


def _show_problems(plugin: Mapping[str, Any]) -> None:
    for problem in plugin["problems"]:
        console.print()
        console.print(Text(f"{problem['plugin'] or 'deployment'} {problem['place']}", style="red"))
        console.print(Text(f"  {problem['message']}\n  → {problem['way_out']}"))


def _title(text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))
