"""``platformctl api``: write the description of the API down, and say what another one breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from platform_core.cli import boot
from platform_core.cli.output import PROBLEMS, AsJson, console, print_json, refuse
from platform_core.compatibility.documents import compare

app = typer.Typer(no_args_is_help=True, help="Describe the API, and compare descriptions of it.")


@app.command("describe")
def describe(
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write; else standard output.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the OpenAPI document of the deployment, the same text for the same API: to be kept with a release."""
    document = _described(as_json=as_json)
    if output is not None:
        output.write_text(canonical(document), encoding="utf-8")
    if as_json:
        print_json({"ok": True, "written": output, "document": document})
    elif output is None:
        typer.echo(canonical(document), nl=False)


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(help="The description of the earlier release.")],
    new: Annotated[
        Path | None, typer.Argument(help="The later one; else what the deployment serves now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name every change between two OpenAPI documents; exit with 1 when one of them breaks a client."""
    before = _read(old, as_json=as_json)
    after = _described(as_json=as_json) if new is None else _read(new, as_json=as_json)
    changes = compare(before, after)
    breaking = sum(one.breaking for one in changes)
    if as_json:
        print_json(
            {
                "ok": not breaking,
                "breaking": breaking,
                "changes": [one.as_dict() for one in changes],
            }
        )
    else:
        for one in changes:
            sign, style = ("!", "red") if one.breaking else ("+", "green")
            console.print(f"{sign} {one.where}: {one.what}", style=style, markup=False)
        console.print(f"{breaking} of {len(changes)} changes break a client.", highlight=False)
    if breaking:
        raise typer.Exit(PROBLEMS)


def canonical(document: Any) -> str:
    """Return ``document`` as the same text whatever the order in which it was made: a file to compare and to keep."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _described(*, as_json: bool) -> Any:
    with boot.set_up_with_database(as_json=as_json):
        from platform_core.api_docs import described  # needs loaded models

        return described("en")


def _read(file: Path, *, as_json: bool) -> Any:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        refuse(
            f"{file} cannot be read: {error}.",
            "Name a file that platformctl api describe wrote, or another OpenAPI document in JSON.",
            code="description_unreadable",
            as_json=as_json,
        )
    if not isinstance(found, dict) or not isinstance(found.get("paths"), dict):
        refuse(
            f"{file} is no OpenAPI document: it has no paths.",
            "Name a file that platformctl api describe wrote, or another OpenAPI document in JSON.",
            code="description_unreadable",
            as_json=as_json,
        )
    return found
