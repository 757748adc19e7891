"""``platformctl settings``: see where values come from, and change at run time what may be changed so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from platform_core.cli import boot
from platform_core.cli.output import AsJson, console, print_json, refuse, table

app = typer.Typer(
    no_args_is_help=True,
    help="See settings and their sources, and change at run time what may be changed so.",
)

Variable = Annotated[
    str, typer.Argument(metavar="SETTING", help="As settings list names it, such as PLATFORM_X.")
]
Reason = Annotated[str, typer.Option(help="Why, for its history and the audit trail.")]


@app.command("list")
def list_settings(
    plugin: Annotated[
        str | None, typer.Option(help="Only those of this plugin, or of platform_core.")
    ] = None,
    editable: Annotated[
        bool, typer.Option("--editable", help="Only those that may be changed at run time.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show settings, where their values come from, and values that are no secret."""
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.runtime_settings.overview import settings_in_force

        rows = [
            one
            for one in settings_in_force()
            if plugin in (None, one["plugin"]) and (one["editable"] or not editable)
        ]
    if as_json:
        print_json({"ok": True, "settings": rows})
        return
    shown = table("Settings", "setting", "source", "value", "at run time")
    for one in rows:
        value = one["value"] if one["shown"] else "(not shown)"
        shown.add_row(one["variable"], one["source"], value, "yes" if one["editable"] else "")
    console.print(shown)
    for one in rows:
        if one["ignored"]:
            text = f"{one['variable']}: a stored value does not count. {one['ignored']}"
            console.print(text, style="yellow", markup=False, highlight=False)


@app.command("set")
def set_(
    variable: Variable,
    value: Annotated[str, typer.Argument(help="As text; lists and tables are written as JSON.")],
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Change a setting; all processes see it within a second, without a restart."""
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.runtime_settings.changing import set_value

        with _refusals(as_json=as_json):
            set_value(variable=variable, value=value, reason=reason)
        row = _row(variable)
    _say(row, f"{variable} is {row['value']}.", as_json=as_json)


@app.command("reset")
def reset(variable: Variable, reason: Reason = "", as_json: AsJson = False) -> None:
    """Put a setting back to what platform.toml and its default say."""
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.runtime_settings.changing import reset_value

        with _refusals(as_json=as_json):
            was_set = reset_value(variable=variable, reason=reason)
        row = _row(variable)
    told = "It was not set at run time." if not was_set else f"{variable} is reset."
    _say({**row, "was_set": was_set}, told, as_json=as_json)


@app.command("history")
def history(
    variable: Variable,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who changed a setting at run time, when, to what, and why."""
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.runtime_settings.overview import changes_of

        with _refusals(as_json=as_json):
            changes = changes_of(variable, limit)
    if as_json:
        print_json({"ok": True, "changes": changes})
        return
    shown = table(variable, "version", "at", "value", "by", "reason")
    for one in changes:
        value = "(reset)" if one["is_reset"] else str(one["value"])
        who = f"{one['actor_kind']} {one['actor_id'] or ''}".strip()
        shown.add_row(str(one["version"]), one["changed_at"], value, who, one["reason"])
    console.print(shown)


def _row(variable: str) -> dict[str, Any]:
    """Return the setting as it is now; one that no plugin knows any more has a name only."""
    from platform_core.runtime_settings.overview import settings_in_force

    known = (one for one in settings_in_force() if one["variable"] == variable)
    return next(known, {"variable": variable})


def _say(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, **document})
    else:
        console.print(text, markup=False, highlight=False)


@contextmanager
def _refusals(*, as_json: bool) -> Iterator[None]:
    """Leave with a report when a service refuses."""
    from platform_core.errors import DomainError

    try:
        yield
    except DomainError as error:
        refuse(
            str(error.message),
            "See platformctl settings list --editable.",
            code=error.code,
            as_json=as_json,
        )
