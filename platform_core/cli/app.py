"""The commands of ``platformctl``: the core's own, and those that enabled plugins contribute."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platform_core import __version__
from platform_core.cli import (
    api,
    audit,
    boot,
    db,
    deployments,
    events,
    imports,
    mail,
    plugin_removal,
    plugins,
    serve,
    settings,
    startplugin,
    tasks,
    worker,
)
from platform_core.cli.operator import acting_operator
from platform_core.cli.output import PROBLEMS, console, fail, print_json
from platform_core.observability.exceptions import exception_told
from platform_core.registry.command_names import CORE_COMMANDS
from platform_core.registry.problems import PluginProblem

if TYPE_CHECKING:
    from platform_core.contributions import Command

_CORE_GROUPS = ("api", "plugin", "db", "tasks", "events", "mail", "audit", "settings")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``platformctl``; a command that is not the core's is looked for among the enabled plugins'."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _run(words)
    except Exception as error:  # Python would print it with everything that it quotes
        _tell_failure(error, as_json="--json" in words)
        sys.exit(PROBLEMS)


def _tell_failure(error: Exception, *, as_json: bool) -> None:
    """Print what nobody expected: the traceback for whoever mends it, without values of rows and secrets.

    What a database lacks that is not migrated needs no traceback.
    """
    lacking = boot.what_the_database_lacks(error)
    if lacking is not None:
        with suppress(typer.Exit):
            fail([lacking], as_json=as_json)
        return
    sys.stderr.write(f"{exception_told(error)}\n")
    problem = PluginProblem(
        plugin="",
        code="command_failed",
        message=f"The command failed: {type(error).__name__}.",
        way_out="The traceback on standard error says where; what was not finished can be repeated.",
    )
    if as_json:
        print_json({"ok": False, "problems": [problem.as_dict()]})


def _run(words: Sequence[str]) -> None:
    app = build_app()
    command = first_command(words)
    if command is None or command in CORE_COMMANDS:
        with acting_operator(_spoken(words, _CORE_GROUPS)):
            app(words)
        return
    folder = boot.deployment_folder(_option_dir(words))
    as_json = "--json" in words
    try:
        deployment = boot.load_deployment(folder, as_json=as_json)
        with boot.database(deployment, as_json=as_json):
            boot.set_up(deployment, as_json=as_json)
            add_contributed(app)
            groups = {one.name.partition(" ")[0] for one in _contributed() if " " in one.name}
            with _refusals_told(as_json=as_json), acting_operator(_spoken(words, groups)):
                app(words)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)


@contextmanager
def _refusals_told(*, as_json: bool) -> Iterator[None]:
    """Report what rows of other plugins forbade a contributed command, each with its plugin, table and way out."""
    from django.db import IntegrityError

    from platform_core.models import DeletionBlocked, referrers_of

    try:
        yield
    except (DeletionBlocked, IntegrityError) as error:
        found = error.referrers if isinstance(error, DeletionBlocked) else referrers_of(error)
        if not found:
            raise
        fail(
            [
                PluginProblem(
                    plugin=one.plugin,
                    code="in_use",
                    place=one.table,
                    message=f"{one.count} rows still refer to what was to be deleted.",
                    way_out=str(one.way_out or "Delete or change those first."),
                )
                for one in found
            ],
            as_json=as_json,
        )


def build_app() -> typer.Typer:
    """Return the application with the core's commands only."""
    app = typer.Typer(
        name="platformctl",
        help="Run and manage a Platform Core deployment. Enabled plugins add commands of their own.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        add_completion=False,
    )
    app.callback(invoke_without_command=True)(_options)
    app.command("init")(deployments.init)
    app.command("check")(deployments.check)
    app.command("migrate")(deployments.migrate)
    app.command("run")(serve.run)
    app.command("worker")(worker.worker)
    app.add_typer(tasks.app, name="tasks")
    app.add_typer(events.app, name="events")
    app.add_typer(mail.app, name="mail")
    app.command("import")(imports.import_files)
    app.command("startplugin")(startplugin.startplugin)
    plugins.app.command("uninstall")(plugin_removal.uninstall)
    plugins.app.command("restore")(plugin_removal.restore)
    app.add_typer(api.app, name="api")
    app.add_typer(plugins.app, name="plugin")
    app.add_typer(db.app, name="db")
    app.add_typer(audit.app, name="audit")
    app.add_typer(settings.app, name="settings")
    return app


def _options(
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="The deployment's folder; else the nearest platform.toml."),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        console.print(__version__, highlight=False)
        raise typer.Exit
    if folder is not None:
        os.environ[boot.FOLDER_VARIABLE] = str(folder.resolve())


def add_contributed(app: typer.Typer) -> None:
    """Add the commands of the enabled plugins; ``user create`` becomes a group with a command."""
    groups: dict[str, typer.Typer] = {}
    for command in _contributed():
        first, _, second = command.name.partition(" ")
        if not second:
            app.command(first, help=command.help)(command.run)
            continue
        if first not in groups:
            groups[first] = typer.Typer(no_args_is_help=True)
            app.add_typer(groups[first], name=first)

            @groups[first].callback()
            def group() -> None:
                """Commands of an enabled plugin."""

        groups[first].command(second, help=command.help)(command.run)


def _contributed() -> Sequence[Command]:
    from platform_core.registry import installed

    found: Sequence[Command] = installed().contributions("commands")
    return found


def _spoken(words: Sequence[str], groups: Collection[str]) -> str:
    """Return the words that name the command, without its arguments, which may be about people."""
    first = first_command(words)
    if first is None or first not in groups:
        return first or ""
    second = first_command(words[words.index(first) + 1 :])
    return f"{first} {second or ''}".strip()


def first_command(words: Sequence[str]) -> str | None:
    """Return the first word that is neither an option nor the value of ``--dir``."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "--dir":
            skip = True
        elif not word.startswith("-"):
            return word
    return None


def _option_dir(words: Sequence[str]) -> Path | None:
    for index, word in enumerate(words):
        if word == "--dir" and index + 1 < len(words):
            return Path(words[index + 1])
        if word.startswith("--dir="):
            return Path(word.removeprefix("--dir="))
    return None
