"""Commands: what a plugin adds to ``platformctl`` answers programs as the core's own commands do."""

from __future__ import annotations

import typer
from typer.main import get_command

from platform_core.contributions import Command
from platform_core.registry import installed
from platform_core.testing.contract.subjects import PluginSubject


def check_commands(plugin: PluginSubject) -> None:
    """Assert that every command of the plugin takes ``--json``."""
    silent = [
        command.name
        for command in installed().of_plugin(plugin.slug, "commands")
        if "--json" not in _options(command)
    ]
    if silent:
        raise AssertionError(
            f"No --json on {', '.join(silent)}: take as_json: AsJson, and speak with answer() and "
            "refuse() of platform_core.commands."
        )


def _options(command: Command) -> set[str]:
    app = typer.Typer()
    app.command()(command.run)
    return {option for parameter in get_command(app).params for option in parameter.opts}
