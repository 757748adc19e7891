"""``platformctl plugin costs``: what each plugin takes to start, to answer, and to store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from platform_core.cli import boot
from platform_core.cli.output import AsJson, console, fail, print_json, refuse, table
from platform_core.conf.deployment import Deployment
from platform_core.registry.problems import database_unreachable

Slug = Annotated[
    str | None, typer.Argument(metavar="[PLUGIN]", help="The plugin's slug; else all.")
]
STAGE_TITLES = {
    "apps": "import of apps.py",
    "models": "import of the models",
    "hooks": "import of hooks.py",
    "calls": "calls of the hooks",
}


def costs(slug: Slug = None, as_json: AsJson = False) -> None:
    """Show time to start, queries and milliseconds per request, and size of the tables of each plugin."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    with boot.database(deployment, as_json=as_json):
        boot.set_up(deployment, as_json=as_json)
        found = _ask(deployment, slug, as_json=as_json)
    if as_json:
        print_json({"ok": True, "plugins": found})
    elif slug is None:
        _show_all(found)
    else:
        _show_one(found[0])


def _ask(deployment: Deployment, slug: str | None, *, as_json: bool) -> list[dict[str, Any]]:
    from django.db import DatabaseError

    from platform_core.registry import installed
    from platform_core.registry.cost_report import plugin_costs

    names = [plugin.slug for plugin in installed().plugins]
    if slug is not None and slug not in names:
        refuse(
            f'This deployment loads no plugin "{slug}".',
            f"Loaded plugins: {', '.join(names) or 'none'}.",
            code="unknown_plugin",
            as_json=as_json,
        )
    try:
        found = plugin_costs(deployment.data_dir)
    except DatabaseError as error:
        fail([database_unreachable(error)], as_json=as_json)
    return [one for one in found if slug in (None, one["slug"])]


def _show_all(found: Sequence[Mapping[str, Any]]) -> None:
    made = table(
        "",
        *("Plugin", "State", "Start, CPU ms", "Requests", "ms each", "Queries each"),
        *("Rows", "Bytes", "History bytes"),
    )
    for one in found:
        plain, history = _split(one["tables"])
        made.add_row(
            one["slug"],
            one["state"],
            f"{sum(cost['cpu'] for cost in one['start'].values()) * 1000:.0f}",
            *_per_request(one["requests"]),
            _rows(plain),
            _bytes(plain),
            _bytes(history),
        )
    console.print(made, soft_wrap=False)


def _show_one(one: Mapping[str, Any]) -> None:
    start = table("Start", "Stage", "Wall ms", "CPU ms")
    for stage, cost in one["start"].items():
        start.add_row(
            STAGE_TITLES[stage], f"{cost['wall'] * 1000:.1f}", f"{cost['cpu'] * 1000:.1f}"
        )
    requests = table("Requests since the server started", "Requests", "ms each", "Queries each")
    requests.add_row(*_per_request(one["requests"]))
    tables = table("Tables", "Table", "Rows", "Bytes")
    for part in sorted(one["tables"], key=lambda part: (part["history"], -part["bytes"])):
        tables.add_row(part["name"], _rows([part]), _bytes([part]))
    for made in (start, requests, tables):
        console.print(made, soft_wrap=False)
        console.print()


def _per_request(requests: Mapping[str, float] | None) -> tuple[str, str, str]:
    if not requests or not requests["requests"]:
        return "0", "–", "–"
    count = requests["requests"]
    return (
        f"{count:,.0f}",
        f"{requests['seconds'] / count * 1000:.1f}",
        f"{requests['statements'] / count:.1f}",
    )


def _split(tables: Iterable[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    plain: list[Any] = []
    history: list[Any] = []
    for one in tables:
        (history if one["history"] else plain).append(one)
    return plain, history


def _rows(tables: Sequence[Mapping[str, Any]]) -> str:
    known = [one["rows_estimate"] for one in tables if one["rows_estimate"] is not None]
    return f"{sum(known):,}" if known else "–"


def _bytes(tables: Sequence[Mapping[str, Any]]) -> str:
    return f"{sum(one['bytes'] for one in tables):,}"
