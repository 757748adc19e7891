"""What the doctor sees between code and database: migrations, tables, content types, grants, flags, orders, settings."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from platform_core.registry.findings import WHY, Finding
from platform_core.registry.observation import DatabaseState
from platform_core.registry.situation import Situation

CORE_TABLES = frozenset(
    {
        *("django_migrations", "platform_core_cache"),
        *("procrastinate_events", "procrastinate_jobs", "procrastinate_periodic_defers"),
        "procrastinate_workers",
        *("platform_core_auditevent", "platform_core_auditpayload", "platform_core_auditseal"),
    }
)
"""Tables that no model makes: Django's, the core's own, those of the queue and of the audit trail."""


def loaded_findings(situation: Situation, state: DatabaseState) -> Iterator[Finding]:
    """Yield what differs between the plugins that are loaded and what the database holds of them."""
    yield from _migrations(situation, state)
    yield from _tables(situation, state)
    yield from _content_types(situation, state)
    yield from _grants(situation)
    yield from _flags(situation, state)
    yield from _orders(situation)
    yield from _settings(situation)


def _migrations(situation: Situation, state: DatabaseState) -> Iterator[Finding]:
    pending: dict[str, list[str]] = {}
    for one in situation.snapshot.get("pending", ()):
        pending.setdefault(one["app"], []).append(one["name"])
    for label, names in sorted(pending.items()):
        yield Finding(
            code="migrations_pending",
            severity="error",
            plugin=label,
            what=f"{len(names)} migrations are not applied yet.",
            where=", ".join(names),
            why=WHY["migrations_pending"],
            mend="platformctl migrate",
        )
    known = {*situation.snapshot["migrations"], *state.ledger}
    absent = sorted({label for label, _ in state.migrations} - known)
    for label in absent:
        yield Finding(
            code="migrations_unknown",
            severity="warning",
            plugin=label,
            what="The database has migrations of an application that is not loaded.",
            where=f"django_migrations, {label}",
            why="If it comes back, its tables will be taken for up to date.",
            mend=f"Install and list what brings {label}, or drop its tables and these rows.",
        )


def _tables(situation: Situation, state: DatabaseState) -> Iterator[Finding]:
    models = situation.snapshot["tables"]
    pending = {one["app"] for one in situation.snapshot.get("pending", ())}
    kept = {
        row["name"]
        for slug, known in state.ledger.items()
        if slug not in situation.snapshot["plugins"]
        for row in known.contents
        if row["kind"] == "tables"
    }
    for name in sorted(state.tables - set(models) - CORE_TABLES - kept):
        yield Finding(
            code="table_without_owner",
            severity="warning",
            what=f"No loaded model has the table {name}.",
            where=name,
            why="Nothing backs up its meaning, checks its references, or will ever migrate it.",
            mend=f'Find out who made it (platformctl plugin explain {name}); DROP TABLE "{name}" removes it.',
        )
    history = {
        row["name"]
        for rows in situation.snapshot["contents"].values()
        for row in rows
        if row["kind"] == "tables" and row["facts"].get("history_of")
    }
    for name, label in sorted(models.items()):
        if name not in state.tables and label not in pending:
            yield Finding(
                code="history_table_missing" if name in history else "table_missing",
                severity="error",
                plugin=label,
                what=f"The table {name} is missing, although all migrations are applied.",
                where=name,
                why="Every write to the model fails."
                if name in history
                else "Every use of its model fails.",
                mend="Restore a backup, or write the migration that is missing (makemigrations).",
            )


def _content_types(situation: Situation, state: DatabaseState) -> Iterator[Finding]:
    known = set(situation.snapshot["models"])
    labels = {one.partition(".")[0] for one in known}
    unlisted = set(state.ledger) - set(situation.snapshot["plugins"])
    found = sorted(
        one for one in state.content_types - known if one.partition(".")[0] not in unlisted
    )
    if found:
        absent = sorted({one.partition(".")[0] for one in found} - labels)
        option = " --include-stale-apps" if absent else ""
        yield Finding(
            code="content_types_orphaned",
            severity="warning",
            what=f"{len(found)} content types name models that do not exist any more.",
            where=", ".join(found),
            why="They, and permissions that hang on them, would come to life for a model of the same name.",
            mend=f"python -m django remove_stale_contenttypes{option}",
        )


def _grants(situation: Situation) -> Iterator[Finding]:
    remembered = {
        row["name"]
        for _, row in situation.contents()
        if row["kind"] == "permissions" and row["remembered"]
    }
    asleep = _of_sleepers(situation)
    for role, names in sorted(situation.snapshot.get("unknown_grants", {}).items()):
        lost = [name for name in names if name not in remembered and not name.startswith(asleep)]
        if lost:
            yield Finding(
                code="grants_unknown",
                severity="warning",
                what=f"The role {role} names permissions that nobody defines any more.",
                where=", ".join(lost),
                why="They give nothing now, and everything again when a plugin defines such a name.",
                mend=f"Take them out of the role {role}, or enable the plugin that defined them.",
            )


def _of_sleepers(situation: Situation) -> tuple[str, ...]:
    """Return the prefixes of what plugins declare that are listed and not enabled: just restored, nothing remembers it."""
    listed = (*situation.lists.plugins, *situation.lists.dormant)
    return tuple(f"{slug}." for slug in listed if situation.state_of(slug) != "enabled")


def _settings(situation: Situation) -> Iterator[Finding]:
    for one in situation.snapshot.get("settings_left_out", ()):
        yield Finding(
            code=one["code"],
            severity="warning",
            plugin=one["plugin"],
            what=one["message"],
            where=one["place"],
            why="The deployment goes on with the value of platform.toml or the default instead.",
            mend=one["way_out"],
        )


def _flags(situation: Situation, state: DatabaseState) -> Iterator[Finding]:
    declared: dict[str, Any] = dict(situation.snapshot["flags"])
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    for name, facts in sorted(declared.items()):
        if facts["expires_on"] < today:
            yield Finding(
                code="flag_expired",
                severity="warning",
                plugin=facts["owner"],
                what=f"The flag {name} was to be gone on {facts['expires_on']}.",
                where=name,
                why="Two ways through the code stay alive, and one of them is tested by nobody.",
                mend=f"Ask {facts['responsible']} for a release without it.",
            )
    remembered = {row["name"] for _, row in situation.contents() if row["kind"] == "flags"}
    asleep = _of_sleepers(situation)
    for name in sorted(set(state.flags) - set(declared) - remembered):
        if name.startswith(asleep):
            continue
        yield Finding(
            code="flag_undeclared",
            severity="warning",
            what=f"The flag {name} is stored, but no plugin declares it any more.",
            where=f"waffle_flag, {name}",
            why="Switching it does nothing; a plugin that declares it again inherits its state.",
            mend="Delete its row (platformctl db shell), or bring the plugin back.",
        )


def _orders(situation: Situation) -> Iterator[Finding]:
    for one in situation.snapshot.get("unserved_orders", ()):
        yield Finding(
            code="order_without_index",
            severity="warning",
            plugin=one["plugin"],
            what=f"No index serves the list of {one['resource']} in its order, {one['ordering']}.",
            where=one["table"],
            why="All its rows are read and sorted for every page; it slows down with each row more.",
            mend=f"Give the model an index on {one['ordering']} and the primary key, and migrate.",
        )
