"""An answer of ``plugin explain``: whose a thing is, what guards it, in which state it is, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from platform_core.contributions import PUBLIC, SIGNED_IN
from platform_core.registry.situation import Situation

CORE = "platform_core"
UNKNOWN = "unknown without the database"

ASLEEP = {
    "addresses": "It answers 404",
    "routes": "It answers 404",
    "resources": "It answers 404",
    "permissions": "It is denied to everybody",
    "flags": "It is off",
    "commands": "The command does not exist",
    "importers": "The importer does not exist",
    "tables": "Its rows are kept",
    "migrations": "Its tables are kept",
}
"""What it means for a thing of a kind that its plugin contributes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One thing that goes by the name that was asked for; ``guard`` says who may use it, ``why`` what it is now."""

    kind: str
    name: str
    owner: str
    version: str = ""
    distribution: str = ""
    state: str = "enabled"
    place: str = ""
    guard: Sequence[Mapping[str, Any]] = ()
    why: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return asdict(self)


def answer_for(
    situation: Situation,
    slug: str,
    row: Mapping[str, Any],
    *,
    guard: Sequence[Mapping[str, Any]] = (),
    why: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> Answer:
    """Return the answer about one contribution of plugin ``slug``, with what its state means."""
    state = situation.state_of(slug)
    return Answer(
        kind=row["kind"],
        name=row["name"],
        owner=slug,
        version=row["version"],
        distribution=distribution_of(situation, slug),
        state=state,
        place=row["place"],
        guard=tuple(guard),
        why=(*state_reasons(situation, slug, row["kind"], state), *why),
        facts=row["facts"] if facts is None else facts,
    )


def distribution_of(situation: Situation, slug: str) -> str:
    """Return the distribution that provides a plugin, as it is installed, else as it was recorded."""
    group = situation.candidates.get(slug)
    if group:
        return group[0].distribution
    recorded = situation.database.ledger.get(slug) if situation.database else None
    return recorded.distribution if recorded else ""


def state_reasons(situation: Situation, slug: str, kind: str, state: str) -> Iterator[str]:
    """Yield what the state of the plugin means for a thing of ``kind``, with the way to change it."""
    if state != "enabled":
        recorded = situation.database.ledger.get(slug) if situation.database else None
        effect = ASLEEP.get(kind, "It has no effect")
        since = f" since {recorded.since:%Y-%m-%d %H:%M}" if recorded else ""
        if state == "missing":
            yield f"{effect}: no installed distribution provides the plugin {slug}. Install its wheel."
        elif state == "available":
            yield f"{effect}: the plugin {slug} is in neither list. platformctl plugin enable {slug}"
        else:
            remedy = f"plugin enable {slug}" if state == "dormant" else "plugin doctor"
            yield f"{effect}: the plugin {slug} is {state}{since}. platformctl {remedy}"
    elif not situation.booted:
        yield "The deployment does not start now, and this is what its database remembers: platformctl plugin doctor"


def guard_of(situation: Situation, access: str, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Return who may use what asks for ``access``: the rule in words, its roles, and the flags with their states."""
    found: dict[str, Any] = {"access": access}
    if access == PUBLIC:
        found["words"] = "everybody, signed in or not"
    elif access == SIGNED_IN:
        found["words"] = "everybody who is signed in"
    else:
        for _, row in situation.contents():
            if row["kind"] == "permissions" and row["name"] == access:
                found |= {"rule": row["facts"]["rule"], "words": row["facts"].get("words", "")}
                break
        else:
            found["words"] = "nobody: no enabled plugin defines the permission"
        found["roles"] = roles_with(situation, access)
    if flags:
        found["flags"] = {flag: flag_state(situation, flag) for flag in flags}
    return found


def roles_with(situation: Situation, permission: str) -> list[str]:
    """Return the roles, declared and stored, that hold a permission."""
    snapshot = situation.snapshot
    declared = {
        name
        for name, role in snapshot.get("roles", {}).items()
        if permission in role["permissions"]
    }
    stored = {name for name, held in snapshot.get("stored_roles", {}).items() if permission in held}
    return sorted(declared | stored)


def flag_state(situation: Situation, flag: str) -> str:
    """Return ``on``, ``off``, or for whom it is on, as the database has it."""
    stored = situation.database.flags.get(flag) if situation.database else None
    if stored is None:
        return "not in the database" if situation.database else UNKNOWN
    if stored["everyone"] is not None:
        return "on" if stored["everyone"] else "off"
    return f"on for {stored['percent']} %" if stored["percent"] else "off"
