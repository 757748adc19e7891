"""``platformctl mail``: look at mails and their states, send failed ones again, preview them, and try the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from platform_core.cli import boot
from platform_core.cli.output import AsJson, console, print_json, refuse, table

app = typer.Typer(
    no_args_is_help=True, help="Look at mails, send failed ones again, and try whether they arrive."
)

STATES = ("queued", "sent", "failed")
Language = Annotated[str, typer.Option(help="The language that it comes in: en, fr or de.")]


@app.command("list")
def list_mails(
    state: Annotated[
        str | None, typer.Option(help=f"Only those that are {', '.join(STATES)}.")
    ] = None,
    plugin: Annotated[str | None, typer.Option(help="Only mails of this plugin.")] = None,
    to: Annotated[str | None, typer.Option(help="Only mails to this address.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show how many mails are in which state, and the newest of them; never what they say."""
    if state is not None and state not in STATES:
        raise typer.BadParameter(f"It is one of {', '.join(STATES)}.", param_hint="--state")
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.mail.overview import overview

        found = overview(state=state, plugin=plugin, to=to, limit=limit)
    if as_json:
        print_json({"ok": True, **found})
        return
    console.print(", ".join(f"{count} {name}" for name, count in found["counts"].items()) + ".")
    shown = table("Newest", "mail", "template", "to", "state", "attempts", "error", "asked for")
    for one in found["mails"]:
        shown.add_row(
            one["id"],
            one["template"],
            one["recipient"],
            one["state"],
            str(one["attempts"]),
            one["error"],
            one["created_at"],
        )
    console.print(shown)


@app.command("resend")
def resend(
    mail: Annotated[UUID | None, typer.Argument(help="The id of a failed one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All failed ones instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send mails that failed once more, once what was wrong is mended."""
    if (mail is None) != every:
        raise typer.BadParameter("Give the id of one, or --all.")
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.mail import overview

        count = overview.resend(mail)
    if not count and not every:
        refuse(
            "There is no such mail that failed and whose content is still there.",
            "See platformctl mail list --state failed.",
            code="not_resendable",
            as_json=as_json,
        )
    if as_json:
        print_json({"ok": True, "mails": count})
    else:
        console.print(f"{count} wait to be sent.", highlight=False)


@app.command("preview")
def preview(
    name: Annotated[str, typer.Argument(help="The mail, such as identity.password_reset.")],
    language: Language = "en",
    output: Annotated[Path, typer.Option(help="The folder for the files.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write text and HTML of a mail with invented values; nothing is sent."""
    _check(language)
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.mail import trying

        try:
            files = trying.preview(name, language, output)
        except LookupError as error:
            refuse(str(error), "Choose one of them.", code="unknown_mail", as_json=as_json)
    if as_json:
        print_json({"ok": True, "files": files})
    else:
        for file in files:
            console.print(str(file), markup=False, highlight=False)


@app.command("test")
def send_test(
    address: Annotated[str, typer.Argument(help="Who gets it: you.")],
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Send a mail at once, without a worker, and say what the server answered."""
    _check(language)
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.mail.failures import advice_for
        from platform_core.mail.trying import send_trial

        failure = send_trial(address, language)
    if failure is not None:
        refuse(
            f"The mail was not sent: {failure.what}.",
            advice_for(failure.what),
            code="mail_not_sent",
            as_json=as_json,
        )
    if as_json:
        print_json({"ok": True, "to": address})
    else:
        console.print(f"Sent to {address}.", markup=False, highlight=False)


def _check(language: str) -> None:
    if language not in ("en", "fr", "de"):
        raise typer.BadParameter("It is en, fr or de.", param_hint="--language")
