"""What a release adds, changes and drops against another one, in words, with what breaks those who rely on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from platform_core.registry.release_words import (
    Word,
    addresses,
    flags,
    permissions,
    resources,
    roles,
    settings,
)

_TEXT = re.compile(r"(?:varchar\((\d+)\)|text)\Z")

Facts = Mapping[str, Any]
Contents = Mapping[str, Mapping[str, Facts]]

NOUNS = {
    "addresses": ("route", "routes"),
    "columns": ("column", "columns"),
    "settings": ("setting", "settings"),
    "django_settings": ("Django setting", "Django settings"),
    "django_apps": ("Django application", "Django applications"),
    "authentication_backends": ("authentication backend", "authentication backends"),
    "api_authentication": ("API authentication", "API authentications"),
    "middleware": ("middleware", "middlewares"),
    "health_probes": ("health probe", "health probes"),
    "events": ("event", "events"),
    "subscriptions": ("subscription", "subscriptions"),
    "mails": ("mail", "mails"),
    "first_run": ("first-run step", "first-run steps"),
    "grant_source": ("source of grants", "sources of grants"),
}
TOLD_OTHERWISE = frozenset({"routes"})
"""Their addresses tell the same."""
UNSEEN = frozenset(
    {
        "health_probes",
        "first_run",
        "middleware",
        "django_apps",
        "django_settings",
        "subscriptions",
        "mails",
    }
)
"""Kinds whose loss nobody outside the plugin relies on."""
CHANGED: dict[str, Callable[[Facts, Facts], Iterator[Word]]] = {
    "addresses": addresses,
    "permissions": permissions,
    "roles": roles,
    "flags": flags,
    "settings": settings,
    "resources": resources,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference; ``change`` is added, changed, renamed or dropped, ``text`` completes "the release …"."""

    kind: str
    name: str
    change: str
    text: str
    breaking: bool = False
    table: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return asdict(self)


def changes_between(before: Iterable[Facts], after: Iterable[Facts]) -> list[Change]:
    """Return how the contents of two releases differ; both are rows with kind, name and facts."""
    old, new = _by_kind(before), _by_kind(after)
    found: list[Change] = []
    for kind in sorted({*old, *new} - TOLD_OTHERWISE, key=_order):
        found += _of_kind(kind, old.get(kind, {}), new.get(kind, {}), new)
    return found


def noun(kind: str, count: int = 1) -> str:
    """Return the word for things of ``kind``."""
    one, many = NOUNS.get(kind, (kind.removesuffix("s").replace("_", " "), kind.replace("_", " ")))
    return one if count == 1 else many


def sentence(changes: Sequence[Change]) -> str:
    """Return the changes in one sentence: "adds 2 permissions, drops route X"; empty without any."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for one in changes:
        verb = one.text.partition(" ")[0]
        groups.setdefault((verb, one.kind), []).append(one)
    parts = [
        group[0].text if len(group) == 1 else f"{verb} {len(group)} {noun(kind, len(group))}"
        for (verb, kind), group in groups.items()
    ]
    return ", ".join(parts)


ORDER = ("tables", "migrations", "addresses", "resources", "permissions", "roles", "flags")


def _order(kind: str) -> tuple[int, str]:
    return (ORDER.index(kind) if kind in ORDER else len(ORDER), kind)


def _by_kind(rows: Iterable[Facts]) -> Contents:
    found: dict[str, dict[str, Facts]] = {}
    for row in rows:
        found.setdefault(row["kind"], {})[row["name"]] = row["facts"]
    return found


def _of_kind(
    kind: str, old: Mapping[str, Facts], new: Mapping[str, Facts], release: Contents
) -> Iterator[Change]:
    for name in sorted({*new} - {*old}):
        yield _added(kind, name, new[name])
    for name in sorted({*old} & {*new}):
        if kind == "tables":
            yield from _columns(name, old[name], new[name], release.get("migrations", {}))
        elif old[name] != new[name]:
            yield from _changed(kind, name, old[name], new[name])
    for name in sorted({*old} - {*new}):
        replaced = any(name in one.get("replaces", ()) for one in new.values())
        breaking = kind not in UNSEEN and not replaced
        text = f"drops {noun(kind)} {name}"
        yield Change(kind=kind, name=name, change="dropped", text=text, breaking=breaking)


def _added(kind: str, name: str, facts: Facts) -> Change:
    text, breaking = f"adds {noun(kind)} {name}", False
    if kind == "settings" and facts["required"]:
        text, breaking = f"needs setting {name} ({facts['type']})", True
    elif kind == "migrations" and not facts["reversible"]:
        text, breaking = f"{text}, which cannot be reversed", True
    return Change(kind=kind, name=name, change="added", text=text, breaking=breaking)


def _changed(kind: str, name: str, old: Facts, new: Facts) -> Iterator[Change]:
    told = list(CHANGED[kind](old, new)) if kind in CHANGED else []
    if not told and not _same_for_all(kind):
        told = [Word("changes", False)]
    for word in told:
        tail = f": {word.how}" if word.how else ""
        text = f"{word.verb} {noun(kind)} {name}{tail}"
        yield Change(kind=kind, name=name, change="changed", text=text, breaking=word.breaking)


def _same_for_all(kind: str) -> bool:
    """Tell whether a change of such facts that has no word of its own matters to nobody, such as a file moved."""
    return kind in CHANGED or kind == "migrations"


def _columns(
    table: str, old: Facts, new: Facts, migrations: Mapping[str, Facts]
) -> Iterator[Change]:
    before, after = old["columns"], new["columns"]
    renamed = dict(_renamed(new, before, after, migrations))

    def change(name: str, how: str, text: str, *, breaking: bool = False) -> Change:
        return Change(
            kind="columns", name=name, change=how, text=text, breaking=breaking, table=table
        )

    for name in sorted({*after} - {*before} - {*renamed.values()}):
        yield change(name, "added", f"adds column {name} to table {table}")
    for source, target in sorted(renamed.items()):
        text = f"renames column {source} of table {table} to {target}"
        yield change(source, "renamed", text, breaking=True)
    for name in sorted({*before} & {*after}):
        for what, breaking in _column_words(before[name], after[name]):
            text = f"changes column {name} of table {table}: {what}"
            yield change(name, "changed", text, breaking=breaking)
    for name in sorted({*before} - {*after} - {*renamed}):
        text = f"drops column {name} of table {table}"
        yield change(name, "dropped", text, breaking=True)


def _column_words(old: Facts, new: Facts) -> Iterator[tuple[str, bool]]:
    if old["type"] != new["type"]:
        yield f"{old['type']} → {new['type']}", not _takes_all(old["type"], new["type"])
    if old["null"] != new["null"]:
        yield ("may be null", False) if new["null"] else ("may not be null any more", True)


def _takes_all(old: str, new: str) -> bool:
    """Tell whether a text column only takes longer texts than before, so that whoever read it reads it still."""
    longest, now = _TEXT.match(old), _TEXT.match(new)
    if longest is None or now is None or longest[1] is None:
        return False
    return now[1] is None or int(longest[1]) <= int(now[1])


def _renamed(
    table: Facts, before: Facts, after: Facts, migrations: Mapping[str, Facts]
) -> Iterator[tuple[str, str]]:
    """Yield old and new name of the columns that a migration renames, and that did change so."""
    model = table["model"].partition(".")[2].lower()
    for migration in migrations.values():
        for of, old, new in migration.get("renames", ()):
            sources = [name for name in {*before} - {*after} if before[name]["field"] == old]
            targets = [name for name in {*after} - {*before} if after[name]["field"] == new]
            if of in (model, model.removeprefix("historical")) and sources and targets:
                yield sources[0], targets[0]
