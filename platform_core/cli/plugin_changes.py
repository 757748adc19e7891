"""Carry out a change of the lists: write them once the set starts, and migrate when that was asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from platform_core.cli.audited_lists import tell_of_lists
from platform_core.cli.output import console, fail, print_json, step
from platform_core.cli.plan_view import show_changes
from platform_core.conf.deployment import FILE_NAME, Deployment
from platform_core.durable import replace_file
from platform_core.registry.configuration import write_lists
from platform_core.registry.inventory import held_back
from platform_core.registry.plan import Plan
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.targets import Target, as_document
from platform_core.registry.trial import require_boot, require_unheld, take_snapshots

NEXT_STEPS = ("platformctl migrate", "restart the running processes")


def edit_lists(deployment: Deployment, target: Target, *, as_json: bool) -> None:
    """Write the lists once the set starts with them, and say what to do next."""
    changed = target.lists != target.current
    if changed:
        try:
            with step("Starting the new set of plugins …", quiet=as_json):
                (wanted,) = take_snapshots([target.lists], with_database=False)
                require_boot(wanted)
                require_unheld(wanted, known={"held_back": held_back(deployment)})
            write_lists(deployment.file, target.lists)
        except PluginErrors as errors:
            fail(errors.problems, as_json=as_json)
        tell_of_lists(deployment, target.current, target.lists)
    if as_json:
        steps = NEXT_STEPS if changed else ()
        print_json({"ok": True, "changed": changed, **as_document(target), "next": steps})
        return
    if not changed:
        console.print("Nothing to change: it is so already.")
        return
    show_changes(target.changes)
    console.print(f"Wrote {deployment.file}.", highlight=False, markup=False)
    console.print("Next: run [bold]platformctl migrate[/], then restart the running processes.")


def carry_out(deployment: Deployment, made: Plan, *, as_json: bool) -> list[str]:
    """Write the lists and migrate; when that fails the file is put back as it was."""
    if not made.changes_anything:
        return []
    before = None
    try:
        before = write_lists(deployment.file, made.target.lists)
        with step("Migrating …", quiet=as_json):
            answer = run_migrate()
        if not answer.get("ok"):
            raise PluginErrors([_failure(), *(PluginProblem(**one) for one in answer["problems"])])
    except BaseException as error:  # Ctrl-C too: the file is put back
        if before is not None:
            replace_file(deployment.file, before)
        if isinstance(error, PluginErrors):
            fail(error.problems, as_json=as_json)
        raise
    tell_of_lists(deployment, made.target.current, made.target.lists)
    applied: list[str] = answer["applied"]
    return applied


def run_migrate() -> dict[str, Any]:
    """Run ``platformctl migrate`` in a process of its own, which loads the new lists."""
    done = subprocess.run(
        [sys.executable, "-m", "platform_core.cli", "migrate", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=False,
    )
    answer = _last_document(done.stdout)
    return {"applied": [], "problems": [], **answer, "ok": done.returncode == 0}


def _last_document(text: str) -> dict[str, Any]:
    """Return the JSON document at the end of ``text``; migrations may have printed before it."""
    try:
        document: dict[str, Any] = json.loads(text[f"\n{text}".rfind("\n{\n") :])
    except json.JSONDecodeError:
        return {}
    return document


def _failure() -> PluginProblem:
    return PluginProblem(
        plugin="",
        code="apply_failed",
        place="platformctl migrate",
        message=f"Migrating failed; {FILE_NAME} is as it was before.",
        way_out="Migrations that were applied before the failure stay. Repair the cause, then plan again.",
    )
