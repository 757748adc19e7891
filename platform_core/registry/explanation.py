"""``plugin explain``: whose a thing is, and why it is as it is."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from platform_core import hookspecs
from platform_core.conf.deployment import CoreSettings
from platform_core.registry.answers import (
    CORE,
    Answer,
    answer_for,
    distribution_of,
    flag_state,
    guard_of,
    roles_with,
    state_reasons,
)
from platform_core.registry.command_names import CORE_COMMANDS
from platform_core.registry.explained_addresses import explain_address, split_address
from platform_core.registry.explained_requests import explain_request
from platform_core.registry.explained_settings import UNKNOWN, setting_in_force
from platform_core.registry.situation import Situation

Row = Mapping[str, Any]


def explain(situation: Situation, thing: str) -> list[Answer]:
    """Return everything that goes by ``thing``; nothing when it is unknown.

    ``thing`` is an address with or without method and host, a request id, or the name of a plugin, permission, role,
    flag, setting, variable, table, model, command, importer, hook, migration or anything else that is contributed.
    """
    address = split_address(thing)
    if address is not None:
        return list(explain_address(situation, *address))
    found = [*_plugins(situation, thing), *_contributions(situation, thing)]
    found += [*_hooks(situation, thing), *_core(situation, thing)]
    if found:
        return found
    request = explain_request(situation.deployment.data_dir, thing)
    if request is None:
        return []
    path = request.facts["path"]
    asked = explain_address(situation, request.facts["method"], path) if path else ()
    return [request, *asked]


def near_matches(situation: Situation, thing: str) -> list[str]:
    """Return names that are like ``thing``, the nearest first."""
    names = {*situation.candidates, *situation.snapshot.get("tables", {})}
    names |= {f"PLATFORM_{name}".upper() for name in CoreSettings.model_fields}
    for slug, row in situation.contents():
        names |= {row["name"], *_aliases(slug, row)}
    by_folded = {name.casefold(): name for name in names}
    address = split_address(thing)
    wanted = address[1] if address else thing
    near = difflib.get_close_matches(wanted.casefold(), by_folded, n=5, cutoff=0.6)
    return [by_folded[name] for name in near]


def _aliases(slug: str, row: Row) -> Iterator[str]:
    """Yield the other names that a thing goes by."""
    facts = row["facts"]
    if row["kind"] == "settings":
        yield from (facts["name"], f"{slug}.{facts['name']}", f"{row['name']}_FILE")
    elif row["kind"] == "tables":
        yield from (facts["model"], facts["model"].partition(".")[2])
        yield from (f"{row['name']}.{column}" for column in facts["columns"])
    elif row["kind"] == "migrations":
        yield row["name"].partition(".")[2]
    elif row["kind"] == "resources":
        yield from (facts["class"], facts["class"].rpartition(".")[2])


def _contributions(situation: Situation, thing: str) -> Iterator[Answer]:
    wanted = thing.casefold()
    for slug, row in situation.contents():
        names = {row["name"], *_aliases(slug, row)}
        if wanted in {name.casefold() for name in names}:
            yield _contribution(situation, slug, row)


def _contribution(situation: Situation, slug: str, row: Row) -> Answer:
    facts = dict(row["facts"])
    guard: list[dict[str, Any]] = []
    why: list[str] = []
    match row["kind"]:
        case "permissions":
            guard.append(guard_of(situation, row["name"]))
            facts = {"model": facts.get("model", "")}
            if not guard[0]["roles"] and situation.booted:
                why.append("No role holds it.")
        case "roles":
            stored = situation.snapshot.get("stored_roles", {}).get(row["name"])
            facts["holds"] = stored if stored is not None else facts.get("permissions", [])
        case "flags":
            facts["state"] = flag_state(situation, row["name"])
            why.append(
                f"In this database it is {facts['state']}; it has to be gone on {facts['expires_on']}."
            )
        case "settings":
            source = _source(situation, slug, facts["name"])
            in_force, reasons = setting_in_force(situation, row["name"], source)
            facts |= in_force
            why += reasons
        case "importers":
            guard.append(guard_of(situation, facts["permission"]))
        case "resources":
            guard += [
                {"action": action, **guard_of(situation, name)}
                for action, name in facts["policy"].items()
            ]
        case "migrations" if situation.database:
            label, _, name = row["name"].partition(".")
            applied = (label, name) in situation.database.migrations
            why.append("It is applied." if applied else "It is not applied: platformctl migrate")
        case "tables" if situation.database:
            if row["name"] not in situation.database.tables:
                why.append("It is not in the database.")
    return answer_for(situation, slug, row, guard=guard, why=why, facts=facts)


def _source(situation: Situation, slug: str, name: str) -> str:
    for one in situation.snapshot.get("settings", {}).get(slug, ()):
        if one["name"] == name:
            return str(one["source"])
    return UNKNOWN


def _plugins(situation: Situation, thing: str) -> Iterator[Answer]:
    recorded = situation.database.ledger if situation.database else {}
    for slug in sorted({*situation.candidates, *recorded, *situation.snapshot.get("plugins", {})}):
        group = situation.candidates.get(slug, ())
        if thing not in (slug, distribution_of(situation, slug)):
            continue
        counts: dict[str, int] = {}
        for owner, row in situation.contents():
            if owner == slug:
                counts[row["kind"]] = counts.get(row["kind"], 0) + 1
        state = situation.state_of(slug)
        problems = [str(one) for one in situation.problems if one.plugin == slug]
        yield Answer(
            kind="plugins",
            name=slug,
            owner=slug,
            version=group[0].version if group else recorded[slug].version,
            distribution=distribution_of(situation, slug),
            state=state,
            why=(*state_reasons(situation, slug, "plugins", state), *problems),
            facts={
                "contributions": counts,
                "recorded_version": recorded[slug].version if slug in recorded else "",
            },
        )


def _hooks(situation: Situation, thing: str) -> Iterator[Answer]:
    """Yield each plugin's implementation of a hook, or of the core's hook that nobody implements."""
    specification = getattr(hookspecs, thing, None)
    rows = [(slug, row) for slug, row in situation.contents() if row["kind"] == thing]
    by_slug: dict[str, list[Row]] = {}
    for slug, row in rows:
        by_slug.setdefault(slug, []).append(row)
    meaning = (getattr(specification, "__doc__", None) or "").strip()
    for slug, own in by_slug.items():
        facts = {"names": [row["name"] for row in own], "meaning": meaning}
        yield answer_for(situation, slug, {**own[0], "kind": "hooks", "name": thing}, facts=facts)
    if not rows and hasattr(specification, f"{hookspecs.PROJECT}_spec"):
        yield Answer(kind="hooks", name=thing, owner=CORE, facts={"meaning": meaning})


def _core(situation: Situation, thing: str) -> Iterator[Answer]:
    """Yield what is the core's own, Django's, or made in this deployment: settings, tables, roles."""
    yield from _core_setting(situation, thing)
    if thing.partition(" ")[0] in CORE_COMMANDS:
        yield Answer(kind="commands", name=thing, owner=CORE)
    plugins = {row["name"] for _, row in situation.contents() if row["kind"] == "tables"}
    for table, label in situation.snapshot.get("tables", {}).items():
        if table == thing and table not in plugins:
            yield Answer(kind="tables", name=table, owner=label)
    declared = situation.snapshot.get("roles", {})
    for role, held in situation.snapshot.get("stored_roles", {}).items():
        if role == thing and role not in declared:
            why = ("It was made in this deployment; no plugin ships it.",)
            yield Answer(kind="roles", name=role, owner="", why=why, facts={"holds": held})
    unknown = {
        name for names in situation.snapshot.get("unknown_grants", {}).values() for name in names
    }
    if thing in unknown and not any(
        row["kind"] == "permissions" and row["name"] == thing for _, row in situation.contents()
    ):
        why = ("A stored role names it, but no plugin defines it: it gives nothing.",)
        yield Answer(
            kind="permissions",
            name=thing,
            owner="",
            state="missing",
            why=why,
            facts={"roles": roles_with(situation, thing)},
        )


def _core_setting(situation: Situation, thing: str) -> Iterator[Answer]:
    name = thing.upper().removesuffix("_FILE").removeprefix("PLATFORM_").lower()
    if name not in CoreSettings.model_fields:
        return
    variable = f"PLATFORM_{name}".upper()
    given = any(one in os.environ for one in (variable, f"{variable}_FILE"))
    set_ = name in situation.deployment.core.model_fields_set
    source = "environment" if given else "platform.toml" if set_ else "default"
    facts, why = setting_in_force(situation, variable, source)
    yield Answer(kind="settings", name=variable, owner=CORE, why=why, facts=facts)
