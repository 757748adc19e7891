"""``platformctl plugin``: see the installed plugins, plan a change of their states, and carry it out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated

import typer

from platform_core.cli import (
    boot,
    plugin_diff,
    plugin_doctor,
    plugin_explain,
    plugin_test,
    plugin_writing,
)
from platform_core.cli.output import CHANGES, AsJson, console, fail, print_json, refuse, step
from platform_core.cli.plan_view import show_changes, show_plan
from platform_core.cli.plugin_changes import carry_out, edit_lists
from platform_core.cli.plugin_costs import costs
from platform_core.cli.plugin_view import show_list, show_plugin
from platform_core.conf.deployment import FILE_NAME, Deployment
from platform_core.registry.apps_trial import ended_by_apps, resolve_surviving, without
from platform_core.registry.discovery import discover
from platform_core.registry.inventory import inspect_plugin, list_plugins
from platform_core.registry.lists import Lists
from platform_core.registry.plan import Plan, make_plan, observe
from platform_core.registry.problems import PluginErrors
from platform_core.registry.targets import Target, as_document, find_target, glue_of

app = typer.Typer(no_args_is_help=True, help="List, plan, enable and disable plugins.")
app.command("costs")(costs)
app.command("test")(plugin_test.judge)
app.command("makemigrations")(plugin_writing.makemigrations)
app.command("messages")(plugin_writing.messages)

Slug = Annotated[str, typer.Argument(metavar="PLUGIN", help="The plugin's slug.")]
Enable = Annotated[
    list[str] | None, typer.Option("--enable", help="A plugin to enable; may be repeated.")
]
Disable = Annotated[
    list[str] | None, typer.Option("--disable", help="A plugin to disable; may be repeated.")
]
app.command("diff")(plugin_diff.diff)
app.command("doctor")(plugin_doctor.doctor)
app.command("explain")(plugin_explain.explain)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the installed plugins and their states; nothing is started."""
    deployment = _deployment(as_json=as_json)
    found = list_plugins(deployment)
    if as_json:
        print_json({"ok": True, "plugins": found})
    else:
        show_list(found)


@app.command("show")
def show(slug: Slug, as_json: AsJson = False) -> None:
    """Show one installed plugin: its metadata, what it contributes or would contribute, settings and migrations."""
    deployment = _deployment(as_json=as_json)
    try:
        found = inspect_plugin(deployment, slug)
    except PluginErrors as errors:
        fail(errors.problems, as_json=as_json)
    if as_json:
        print_json(found)
    else:
        show_plugin(found)
    if not found["ok"]:
        raise typer.Exit(1)


@app.command("plan")
def plan(
    enable: Enable = None,
    disable: Disable = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 3 when something would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a change would do, found by starting the wanted set; nothing is changed."""
    deployment = _deployment(as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        made = _plan(deployment, enable or (), disable or (), as_json=as_json)
    if as_json:
        print_json(made.as_dict())
    else:
        show_plan(made, _words(enable or (), disable or ()))
    if detailed_exitcode and made.changes_anything:
        raise typer.Exit(CHANGES)


@app.command("apply")
def apply(
    expected: Annotated[str, typer.Option("--hash", help="The hash that plan printed.")],
    enable: Enable = None,
    disable: Disable = None,
    as_json: AsJson = False,
) -> None:
    """Carry out the plan with this hash: edit platform.toml and migrate; refused when the plan is another one now."""
    deployment = _deployment(as_json=as_json)
    refuse_environment(deployment, as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        made = _plan(deployment, enable or (), disable or (), as_json=as_json)
        if made.hash != expected:
            words = _words(enable or (), disable or ())
            refuse(
                f"The plan is another one now; its hash is {made.hash}.",
                f"Look at it again: platformctl plugin plan {words}".rstrip(),
                code="plan_changed",
                as_json=as_json,
            )
        applied = carry_out(deployment, made, as_json=as_json)
    if as_json:
        print_json({"ok": True, "applied": applied, **as_document(made.target)})
        return
    show_changes(made.target.changes)
    console.print(f"[green]Applied:[/] {len(applied)} migrations.", highlight=False)
    console.print("Restart the running processes, so that they load the new set.")


@app.command("enable")
def enable(slug: Slug, as_json: AsJson = False) -> None:
    """Enable a plugin and what it requires in platform.toml, after checking that the set starts."""
    deployment = _deployment(as_json=as_json)
    refuse_environment(deployment, as_json=as_json)
    edit_lists(deployment, _target(deployment, [slug], (), as_json=as_json), as_json=as_json)


@app.command("disable")
def disable(slug: Slug, as_json: AsJson = False) -> None:
    """Disable a plugin and what requires it in platform.toml; one with tables becomes dormant and keeps them."""
    deployment = _deployment(as_json=as_json)
    refuse_environment(deployment, as_json=as_json)
    with ExitStack() as stack:
        if (deployment.data_dir / "postgres").is_dir():
            stack.enter_context(boot.database(deployment, as_json=as_json))
        target = _target(deployment, (), [slug], as_json=as_json)
    edit_lists(deployment, target, as_json=as_json)


def _deployment(*, as_json: bool) -> Deployment:
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    boot.prepare_environment(deployment)
    return deployment


def refuse_environment(deployment: Deployment, *, as_json: bool) -> None:
    """Leave with a report when the environment sets the lists, which then win over the file."""
    if deployment.lists_from_environment:
        refuse(
            "PLATFORM_PLUGINS or PLATFORM_DORMANT_PLUGINS is set in the environment, which "
            f"comes before {FILE_NAME}.",
            f"Change the lists there, or unset both variables and keep the lists in {FILE_NAME}.",
            code="lists_from_environment",
            as_json=as_json,
        )


def lists_of(deployment: Deployment) -> Lists:
    """Return the lists of plugins as the deployment has them."""
    core = deployment.core
    return Lists(plugins=tuple(core.plugins), dormant=tuple(core.dormant_plugins))


def _target(
    deployment: Deployment, enable: Sequence[str], disable: Sequence[str], *, as_json: bool
) -> Target:
    """Return the lists that are asked for; leaves with a report when they make no sense."""
    current = lists_of(deployment)
    candidates = discover()
    ended = ended_by_apps(candidates)
    owner = ""
    kept: frozenset[str] | None = None
    if disable:
        plugins = resolve_surviving(current, candidates).plugins
        owner = next((one.slug for one in plugins if one.config.auth_user_model), "")
        observed = observe(deployment)
        never_started = _embedded(deployment) and not (deployment.data_dir / "postgres").is_dir()
        if never_started:
            kept = frozenset()
        elif observed is not None:
            kept = observed.plugins
    try:
        return find_target(
            current,
            candidates,
            enable=enable,
            disable=disable,
            kept=kept,
            user_model=owner,
            glue=glue_of(without(candidates, ended)),
        )
    except PluginErrors as errors:
        fail(errors.problems, as_json=as_json)


def _embedded(deployment: Deployment) -> bool:
    return not (os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"))


def _plan(
    deployment: Deployment, enable: Sequence[str], disable: Sequence[str], *, as_json: bool
) -> Plan:
    target = _target(deployment, enable, disable, as_json=as_json)
    try:
        with step("Starting both sets of plugins …", quiet=as_json):
            return make_plan(target)
    except PluginErrors as errors:
        fail(errors.problems, as_json=as_json)


def _words(enable: Sequence[str], disable: Sequence[str]) -> str:
    return " ".join(
        [f"--enable {slug}" for slug in enable] + [f"--disable {slug}" for slug in disable]
    )
