"""A plan for people: what is gained in green, lost in red, changed in yellow, and one line that sums it up."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from platform_core.cli.output import console
from platform_core.registry.plan import Plan
from platform_core.registry.problems import PluginProblem
from platform_core.registry.statements import broken_at_commas
from platform_core.registry.targets import Change

GAINED, LOST, CHANGED = "+", "-", "~"
COLOURS = {GAINED: "green", LOST: "red", CHANGED: "yellow"}
RISK_COLOURS = {"none": "green", "low": "green", "medium": "yellow", "high": "red"}
VERBS = {"enabled": "becomes enabled", "dormant": "becomes dormant and keeps its data"}
RISKS = ("none", "low", "medium", "high", "unknown")

Part = Mapping[str, Any]

TITLES: dict[str, str] = {
    "waiting": "Glue plugins that wait for others",
    "tables": "Tables",
    "personal_data": "Personal data",
    "routes": "Addresses",
    "permissions": "Permissions, and the roles that hold them",
    "roles": "Roles",
    "flags": "Feature flags",
    "importers": "Importers",
    "commands": "Commands",
    "health_probes": "Health probes",
    "tasks": "Background tasks",
    "schedules": "Schedules",
    "events": "Events",
    "subscriptions": "Subscriptions to events",
    "mails": "Mails",
    "first_run": "First-run steps",
    "grant_source": "Source of grants",
    "published_hooks": "Hooks for other plugins",
    "implementations": "Contributions to other plugins' hooks",
    "middleware": "Middleware",
    "django_apps": "Django applications",
    "authentication_backends": "Authentication backends",
    "api_authentication": "API authentication",
    "django_settings": "Django settings",
}


def show_plan(plan: Plan, words: str) -> None:
    """Print the plan; ``words`` are the options to give to ``apply``."""
    if not plan.changes_anything:
        console.print("[green]Nothing would change.[/]")
        return
    show_changes(plan.target.changes)
    _show_current_problems(plan.current_problems)
    found = plan.difference
    for migration in found.get("migrations", ()):
        if migration is found["migrations"][0]:
            _title("Migrations, in this order")
        _show_migration(migration)
    for name, title in TITLES.items():
        if name in found:
            _title(title)
            _show_part(found[name], LINES.get(name, _plain_line))
    if "user_model" in found:
        _title("User model")
        _line(
            CHANGED, f"{found['user_model']['before'] or 'none'} → {found['user_model']['after']}"
        )
    if "settings" in found:
        _title("Settings of the plugins that become enabled")
        for one in (one for group in found["settings"].values() for one in group):
            _line(GAINED, _setting_line(one))
    console.print()
    console.print(Text(summary(plan), style="bold"))
    console.print(f"Hash: {plan.hash}", highlight=False)
    command = f"platformctl plugin apply --hash {plan.hash} {words}".rstrip()
    console.print(f"To carry it out: {command}", highlight=False)


def show_changes(changes: Sequence[Change]) -> None:
    """Print the plugins whose state changes, with what takes them along."""
    if changes:
        _title("Plugins")
    for change in changes:
        verb = VERBS.get(change.after, "leaves the lists; it has no data here")
        reason = ""
        if change.because:
            required = "is required by" if change.after == "enabled" else "requires"
            reason = f", because it {required} {change.because}"
        if change.joins:
            reason = f", because it joins {' and '.join(change.joins)}"
        sign = (
            GAINED if change.after == "enabled" else CHANGED if change.after == "dormant" else LOST
        )
        _line(sign, f"{change.slug} {verb}{reason}")


def summary(plan: Plan) -> str:
    """Return the plan in one line of numbers."""
    states = [change.after for change in plan.target.changes]
    migrations = plan.difference.get("migrations", ())
    risk = max((one["risk"] for one in migrations), key=RISKS.index, default="none")
    parts = [
        (states.count("enabled"), "to enable", "to enable"),
        (states.count("dormant"), "to make dormant", "to make dormant"),
        (states.count("available"), "to take out", "to take out"),
        (len(migrations), f"migration (risk {risk})", f"migrations (highest risk {risk})"),
    ]
    for name, one, many in (
        ("tables", "table", "tables"),
        ("routes", "address", "addresses"),
        ("permissions", "permission", "permissions"),
    ):
        for side in ("gained", "lost"):
            count = len(plan.difference.get(name, {}).get(side, ()))
            parts.append((count, f"{one} {side}", f"{many} {side}"))
    texts = [f"{count} {one if count == 1 else many}" for count, one, many in parts if count]
    return f"Plan: {', '.join(texts) or 'other changes only'}."


def _show_current_problems(problems: Sequence[PluginProblem]) -> None:
    if problems:
        _title("The present set does not start, so everything counts as gained")
    for problem in problems:
        _line(CHANGED, str(problem))


def _show_migration(migration: Part) -> None:
    line = Text(f"  {GAINED} {migration['app']}.{migration['name']}", style="green")
    line.append("  risk ", style="default")
    line.append(migration["risk"], style=RISK_COLOURS.get(migration["risk"], "magenta"))
    if migration["already_pending"]:
        line.append("  (pending already)", style="dim")
    if not migration["atomic"]:
        line.append("  (not in one transaction)", style="yellow")
    console.print(line)
    for operation in migration["operations"]:
        if operation["kind"] in {"RunPython", "RunSQL"}:
            console.print(
                Text(f"      {operation['kind']}: {operation['description']}", style="magenta")
            )
    if migration["hidden"]:
        console.print(Text(f"      {migration['hidden']}", style="magenta"))
    for statement in migration["statements"]:
        _show_statement(statement)


def _show_statement(statement: Part) -> None:
    for line in broken_at_commas(statement["sql"]):
        console.print(Text(textwrap.indent(line, "      "), style="dim"))
    if not statement["known"]:
        console.print(Text("        locks unknown: judge this statement yourself", style="magenta"))
        return
    old = [lock for lock in statement["locks"] if lock["existing"]]
    for lock in old:
        colour = RISK_COLOURS.get(statement["risk"], "magenta")
        rows = lock["rows_estimate"]
        size = "" if rows is None else f", about {rows:,} rows"
        console.print(
            Text(
                f"        {lock['mode']} on {lock['table']} (existing{size}): "
                f"blocks {lock['blocks']}, {WORK[statement['work']]}",
                style=colour,
            )
        )
    new = ", ".join(lock["table"] for lock in statement["locks"] if not lock["existing"])
    modes = ", ".join(
        dict.fromkeys(lock["mode"] for lock in statement["locks"] if not lock["existing"])
    )
    if new:
        console.print(Text(f"        {modes} on {new} (new): in nobody's way", style="green"))
    if not statement["locks"]:
        console.print(Text("        no lock on a table", style="green"))


WORK = {
    "catalogue": "for a moment",
    "rows": "as long as it changes rows",
    "scan": "as long as it reads the table",
    "rewrite": "as long as it rewrites the table",
}


def _show_part(part: Part, line_of: Callable[[Any], str]) -> None:
    for name, sign in (("gained", GAINED), ("lost", LOST), ("changed", CHANGED)):
        for one in part.get(name, ()):
            _line(sign, line_of(one))


def _plain_line(one: Any) -> str:
    if isinstance(one, str):
        return one
    owner = one.get("owner", "")
    return f"{one['name']}  ({owner})" if owner and owner != one["name"] else str(one["name"])


def _table_line(one: Part) -> str:
    return f"{one['name']}{'  (stands already, with its rows)' if one['standing'] else ''}"


def _route_line(one: Part) -> str:
    facts = one.get("after", one)
    methods = ", ".join(facts["methods"])
    access = "" if facts["access"] == "policy" else f"  access: {facts['access']}"
    return f"{one['name']}  {methods}{access}".rstrip()


def _permission_line(one: Part) -> str:
    if "after" in one:
        return f"{one['name']}  {one['before']['rule']} → {one['after']['rule']}"
    return f"{one['name']}  → {', '.join(one['roles']) or 'no role'}"


def _role_line(one: Part) -> str:
    facts = one.get("after", one)
    return f"{one['name']}  {facts['title']}: {_count(facts['permissions'])}"


def _waiting_line(one: Part) -> str:
    facts = one.get("after", one)
    return f"{one['name']} waits for {', '.join(facts['waits_for'])}"


def _flag_line(one: Part) -> str:
    facts = one.get("after", one)
    default = "on" if facts["default"] else "off"
    return (
        f"{one['name']}  {default} at first, expires {facts['expires_on']}, {facts['responsible']}"
    )


def _setting_line(one: Part) -> str:
    need = "required" if one["required"] else f"default {one['default']}"
    return f"{one['variable']}  {one['type']}, {need}; from: {one['source']}"


def _count(names: Iterable[str]) -> str:
    count = len(list(names))
    return f"{count} permission{'' if count == 1 else 's'}"


LINES: dict[str, Callable[[Any], str]] = {
    "tables": _table_line,
    "routes": _route_line,
    "permissions": _permission_line,
    "roles": _role_line,
    "flags": _flag_line,
    "waiting": _waiting_line,
}


def _title(text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _line(sign: str, text: str) -> None:
    console.print(Text(f"  {sign} {text}", style=COLOURS[sign]))
