"""``platformctl events``: look at events on their way, and decide about those that are parked."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer

from platform_core.cli import boot
from platform_core.cli.output import AsJson, console, print_json, refuse, table

app = typer.Typer(
    no_args_is_help=True,
    help="Look at events on their way, and decide about those that are parked.",
)

STATES = ("waiting", "retrying", "parked", "sleeping")


@app.command("list")
def list_events(
    plugin: Annotated[str | None, typer.Option(help="Only those to this plugin.")] = None,
    state: Annotated[
        str | None, typer.Option(help=f"Only those that are {', '.join(STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The oldest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what each subscription waits for, and the oldest events on their way; sleeping ones wait for their plugin."""
    if state is not None and state not in STATES:
        raise typer.BadParameter(f"It is one of {', '.join(STATES)}.", param_hint="--state")
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.events.overview import State, overview

        found = overview(plugin=plugin, state=cast("State | None", state), limit=limit)
    if as_json:
        print_json({"ok": True, **found})
        return
    counts = table("Subscriptions", "subscription", *STATES)
    for name, own in found["counts"].items():
        counts.add_row(name, *(str(own.get(one, 0)) for one in STATES))
    console.print(counts)
    oldest = table("Oldest", "id", "plugin", "subscription", "event", "about", "attempts", "error")
    for one in found["deliveries"]:
        oldest.add_row(
            str(one["id"]),
            one["plugin"],
            one["subscription"],
            one["event"],
            f"{one['aggregate']} {one['sequence']}",
            str(one["attempts"]),
            one["error_id"],
        )
    console.print(oldest)


@app.command("retry")
def retry(
    delivery: Annotated[
        int | None, typer.Argument(help="The number of a parked one, as events list shows it.")
    ] = None,
    subscription: Annotated[
        str | None, typer.Option(help="All parked ones of this subscription instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let parked events come again, once what kept their subscriber from taking them is mended."""
    if (delivery is None) == (subscription is None):
        raise typer.BadParameter("Give the number of one, or --subscription.")
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.events import overview

        count = overview.retry(delivery=delivery, subscription=subscription)
    _answer(count, "come again", as_json=as_json)


@app.command("skip")
def skip(
    delivery: Annotated[int, typer.Argument(help="The number of a parked one.")],
    as_json: AsJson = False,
) -> None:
    """Give a parked event up for its subscriber, so that later ones about the same thing follow."""
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.events import overview

        count = overview.skip(delivery=delivery)
    _answer(count, "given up", as_json=as_json)


def _answer(count: int, what: str, *, as_json: bool) -> None:
    if not count:
        refuse(
            "There is no such parked event.",
            "See platformctl events list --state parked.",
            code="not_parked",
            as_json=as_json,
        )
    document: dict[str, Any] = {"ok": True, "events": count}
    if as_json:
        print_json(document)
    else:
        console.print(f"{count} {what}.", highlight=False)
