"""How the facts of one thing differ between two releases, in words, and whether that breaks who relies on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from platform_core.contributions import PUBLIC, SIGNED_IN

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """One difference: ``verb`` and the thing's name, then ``how``."""

    verb: str
    breaking: bool
    how: str = ""


def addresses(old: Facts, new: Facts) -> Iterator[Word]:
    """Yield methods that come and go, and whom each method is open to."""
    before, after = old["access"], new["access"]
    yield from _names("adds", {*after} - {*before}, breaking=False)
    yield from _names("drops", {*before} - {*after}, breaking=True)
    for method in sorted({*before} & {*after}):
        if before[method] != after[method]:
            how = f"{method} asks for {after[method]} instead of {before[method]}"
            narrowed = not _is_wider(before[method], after[method])
            yield Word("narrows" if narrowed else "widens", narrowed, how)
    for method in sorted({*before} & {*after}):
        was, now = (set(side["flags"].get(method, ())) for side in (old, new))
        if was != now:
            how = (
                f"{method} is behind {_list(now) or 'no flag'} instead of {_list(was) or 'no flag'}"
            )
            yield Word("narrows" if now - was else "widens", bool(now - was), how)


def _is_wider(before: str, after: str) -> bool:
    """Tell whether everybody who had access keeps it; of two permissions nobody knows who holds which."""
    return after == PUBLIC or (after == SIGNED_IN and before != PUBLIC)


def permissions(old: Facts, new: Facts) -> Iterator[Word]:
    """Yield a changed rule; one that only gained an alternative breaks nothing."""
    if old["rule"] != new["rule"]:
        wider = new["rule"].startswith(f"({old['rule']} | ")
        how = f"its rule {old['rule']} is now {new['rule']}"
        yield Word("widens" if wider else "changes", not wider, how)
    if old.get("model") != new.get("model"):
        how = (
            f"it is about {new.get('model') or 'no model'} instead of {old.get('model') or 'none'}"
        )
        yield Word("changes", True, how)


def roles(old: Facts, new: Facts) -> Iterator[Word]:
    """Yield permissions and roles that a role gains and loses."""
    for part in ("permissions", "inherits"):
        before, after = set(old.get(part, ())), set(new.get(part, ()))
        if after - before:
            yield Word("widens", False, f"it gains {_list(after - before)}")
        if before - after:
            yield Word("narrows", True, f"it loses {_list(before - after)}")


def flags(old: Facts, new: Facts) -> Iterator[Word]:
    """Yield another default, expiry or owner; databases that know the flag keep its state."""
    for name in ("default", "expires_on", "owner"):
        if old.get(name) != new.get(name):
            label = name.replace("_", " ")
            yield Word("changes", False, f"{label} {old.get(name)} is now {new.get(name)}")


def settings(old: Facts, new: Facts) -> Iterator[Word]:
    """Yield another type, and whether a value is needed now."""
    if old["type"] != new["type"]:
        yield Word("changes", True, f"{old['type']} is now {new['type']}")
    if old["required"] != new["required"]:
        needed = new["required"]
        yield Word(
            "needs" if needed else "changes",
            needed,
            "it is required now" if needed else "it is no longer required",
        )


def resources(old: Facts, new: Facts) -> Iterator[Word]:
    """Yield fields, their rules, filters, search and orderings that come and go; addresses tell the actions."""
    yield from _fields(old.get("fields", {}), new.get("fields", {}))
    old_filters, new_filters = (_filters(side.get("filters", {})) for side in (old, new))
    for part, before, after in (
        ("filter", old_filters, new_filters),
        ("search in", set(old.get("search", ())), set(new.get("search", ()))),
        ("ordering by", set(old.get("ordering", ())), set(new.get("ordering", ()))),
    ):
        if after - before:
            yield Word("widens", False, f"{part} {_list(after - before)}")
        if before - after:
            yield Word("narrows", True, f"no {part} {_list(before - after)}")
    was, now = old.get("field_rules", {}), new.get("field_rules", {})
    for name in sorted(name for name in {*was, *now} if was.get(name) != now.get(name)):
        freed = name not in now
        how = "everybody" if freed else f"view={now[name]['view']}, change={now[name]['change']}"
        yield Word("widens" if freed else "narrows", not freed, f"field {name} is for {how}")


def _filters(filters: Mapping[str, Iterable[str]]) -> set[str]:
    return {
        path if lookup == "exact" else f"{path}__{lookup}"
        for path, lookups in filters.items()
        for lookup in lookups
    }


def _fields(old: Facts, new: Facts) -> Iterator[Word]:
    added, dropped = {*new} - {*old}, {*old} - {*new}
    needed = {name for name in added if new[name]["required"] and new[name]["writable"]}
    if added - needed:
        yield Word("widens", False, f"field {_list(added - needed)}")
    if needed:
        yield Word("narrows", True, f"field {_list(needed)} is required")
    if dropped:
        yield Word("narrows", True, f"no field {_list(dropped)}")
    for name in sorted({*old} & {*new}):
        before, after = old[name], new[name]
        if before["type"] != after["type"]:
            yield Word("changes", True, f"field {name}: {before['type']} is now {after['type']}")
        for fact, lost in (("readable", False), ("writable", False), ("required", True)):
            if before[fact] != after[fact]:
                word = fact if after[fact] else f"not {fact}"
                narrowed = after[fact] is lost
                yield Word(
                    "narrows" if narrowed else "widens", narrowed, f"field {name} is {word} now"
                )


def _names(verb: str, methods: Iterable[str], *, breaking: bool) -> Iterator[Word]:
    found = _list(methods)
    if found:
        yield Word(verb, breaking, f"method {found}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
