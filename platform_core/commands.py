"""How a plugin's command speaks: as the core's own do, text for people or one JSON document for programs."""

from __future__ import annotations

from typing import Any, NoReturn

from platform_core.cli.output import AsJson, console, fail, print_json
from platform_core.registry.problems import PluginProblem

__all__ = ["AsJson", "answer", "refuse"]


def answer(text: str, *, as_json: bool, **facts: Any) -> None:
    """Say that the command has worked: ``text`` to a person, ``{"ok": true, **facts}`` to a program.

    ``text`` is printed as it is, without markup. Call it once, at the end.
    """
    if as_json:
        print_json({"ok": True, **facts})
    else:
        console.print(text, markup=False, highlight=False)


def refuse(
    message: str, way_out: str, *, plugin: str, code: str, as_json: bool, place: str = ""
) -> NoReturn:
    """Say why the command does nothing and what to do instead, and leave with exit code 1.

    ``plugin`` is the slug, ``code`` a stable word for machines, ``place`` what is at fault, such as an option or a
    file. Raises typer.Exit; what the command has written must be rolled back by then.
    """
    problem = PluginProblem(plugin=plugin, code=code, place=place, message=message, way_out=way_out)
    fail([problem], as_json=as_json)
