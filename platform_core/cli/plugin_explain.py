"""``platformctl plugin explain``: whose a thing is, what guards it, in which state it is, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from platform_core.cli import boot
from platform_core.cli.output import AsJson, console, print_json, refuse
from platform_core.cli.plugin_doctor import situation_of
from platform_core.cli.plugin_view import COLOURS
from platform_core.registry.answers import Answer
from platform_core.registry.explanation import explain as answers_about
from platform_core.registry.explanation import near_matches
from platform_core.registry.release_diff import noun

MANY = 12

Thing = Annotated[
    list[str],
    typer.Argument(
        metavar="THING",
        help="An address (with method and host, or without), a request or error id, or the name of anything: permission, "
        "role, flag, setting, variable, table, model, command, importer, hook, migration, plugin.",
    ),
]


def explain(thing: Thing, as_json: AsJson = False) -> None:
    """Say who owns THING, what guards it, where it is written, in which state it is, and why."""
    deployment = boot.load_deployment(boot.deployment_folder(None), as_json=as_json)
    boot.prepare_environment(deployment)
    name = " ".join(thing)
    situation = situation_of(deployment, quiet=as_json)
    answers = answers_about(situation, name)
    if not answers:
        near = near_matches(situation, name)
        hint = f"Did you mean {', '.join(near)}? " if near else ""
        refuse(
            f"Nothing here is called {name!r}, and no log in {deployment.data_dir / 'logs'} knows such a request.",
            f"{hint}See platformctl plugin list and plugin show.",
            code="unknown_thing",
            as_json=as_json,
        )
    if as_json:
        print_json({"ok": True, "thing": name, "answers": [one.as_dict() for one in answers]})
        return
    for one in answers:
        _show(one)


def _show(answer: Answer) -> None:
    head = Text.assemble(f"{noun(answer.kind)} ", (answer.name, "bold"))
    owner = " ".join(filter(None, [answer.owner or "this deployment", answer.version]))
    head.append(f"  {owner}")
    if answer.distribution:
        head.append(f" ({answer.distribution})", style="dim")
    head.append(f"  {answer.state}", style=COLOURS.get(answer.state, "red"))
    console.print(head)
    if answer.place:
        console.print(Text(f"  written in {answer.place}", style="dim"))
    for reason in answer.why:
        console.print(Text(f"  {reason}", style="yellow"))
    for one in answer.guard:
        console.print(Text(f"  {_guard_line(one)}"))
    for name, value in answer.facts.items():
        if value not in (None, "", [], {}):
            console.print(Text(f"  {name.replace('_', ' ')}: {_plain(value)}", style="dim"))


def _guard_line(guard: Mapping[str, Any]) -> str:
    what = guard.get("method") or guard.get("action")
    parts = [f"{what}: " if what else "", guard["access"]]
    if guard.get("words"):
        parts.append(f" – {guard['words']}")
    if "roles" in guard:
        parts.append(f"; roles: {', '.join(guard['roles']) or 'none'}")
    parts += [f"; flag {flag} is {state}" for flag, state in guard.get("flags", {}).items()]
    return "".join(parts)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping) and all(isinstance(one, Mapping) for one in value.values()):
        return _plain(list(value))
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_plain(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        shown = ", ".join(_plain(one) for one in value[:MANY])
        return shown + (f" and {len(value) - MANY} more" if len(value) > MANY else "")
    return str(value)
