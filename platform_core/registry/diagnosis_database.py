"""What the doctor sees in the database alone: the server, the audit trail, the ledger, dormant rows, failed mails."""

from __future__ import annotations

from collections.abc import Iterator

from platform_core.mail.failures import advice_for
from platform_core.registry.diagnosis_loaded import loaded_findings
from platform_core.registry.findings import WHY, Finding
from platform_core.registry.observation import MANY, DatabaseState
from platform_core.registry.situation import Situation

OLDEST_POSTGRES = 15


def database_findings(situation: Situation) -> Iterator[Finding]:
    """Yield what is wrong between what is loaded and what the database holds."""
    state = situation.database
    if state is None:
        yield Finding(
            code="database_unreachable",
            severity="error",
            what=situation.database_error,
            where="DATABASE_URL, or the embedded PostgreSQL",
            why=WHY["database_unreachable"],
            mend="Check that it runs, and its address, user and password.",
        )
        return
    yield from _server(state)
    yield from _audit(state)
    yield from _ledger(situation, state)
    yield from _dormant(situation, state)
    yield from _mails(state)
    if situation.booted:
        yield from loaded_findings(situation, state)


def _server(state: DatabaseState) -> Iterator[Finding]:
    major = state.server_version // 10_000
    if major < OLDEST_POSTGRES:
        yield Finding(
            code="postgres_too_old",
            severity="error",
            what=f"The server is PostgreSQL {major}.",
            where="DATABASE_URL",
            why=f"Constraints and SQL of the platform need PostgreSQL {OLDEST_POSTGRES} or newer.",
            mend="Upgrade the server (pg_upgrade, or dump and restore).",
        )


def _audit(state: DatabaseState) -> Iterator[Finding]:
    if state.unsealed.is_late:
        yield Finding(
            code="audit_unsealed",
            severity="warning",
            what=f"{state.unsealed}.",
            where="platform_core_auditevent",
            why="What is not sealed can be changed or removed without the trail telling so.",
            mend="platformctl audit seal, and look why no worker does it: platformctl tasks list --plugin platform_core",
        )


def _ledger(situation: Situation, state: DatabaseState) -> Iterator[Finding]:
    listed = {*situation.lists.plugins, *situation.lists.dormant}
    for slug, known in state.ledger.items():
        if slug not in listed:
            yield Finding(
                code="unlisted_plugin",
                severity="error",
                plugin=slug,
                what="It has tables in this database, but it is in neither list.",
                where=f"{known.distribution} {known.version}",
                why=WHY["unlisted_plugin"],
                mend=f"platformctl plugin enable {slug}, or add it to dormant_plugins",
            )
    for slug, digest in situation.snapshot.get("digests", {}).items():
        loaded = situation.snapshot["plugins"][slug]
        recorded = state.ledger.get(slug)
        if recorded is None or recorded.contents_digest != digest:
            was = "nothing" if recorded is None else f"{recorded.version} ({recorded.state})"
            if was == f"{loaded['version']} ({loaded['state']})":
                was += " and other contributions"
            yield Finding(
                code="digest_skew",
                severity="error",
                plugin=slug,
                what=f"Installed is {loaded['version']} ({loaded['state']}), the database was "
                f"synchronised with {was}.",
                where=f"{loaded['distribution']} {loaded['version']}",
                why=WHY["digest_skew"],
                mend=f"platformctl plugin diff {slug}, then platformctl migrate",
            )


def _dormant(situation: Situation, state: DatabaseState) -> Iterator[Finding]:
    for slug, known in state.ledger.items():
        if situation.state_of(slug) != "dormant":
            continue
        names = [row["name"] for row in known.contents if row["kind"] == "tables"]
        rows = sum(state.rows.get(name, 0) for name in names)
        if rows:
            more = "more than " if any(state.rows.get(name) == MANY for name in names) else ""
            yield Finding(
                code="dormant_rows",
                severity="notice",
                plugin=slug,
                what=f"It keeps {more}{rows:,} rows in {len(names)} tables, and is dormant since "
                f"{known.since:%Y-%m-%d}.",
                where=f"{known.distribution} {known.version}",
                why="Its rows take room, and may keep rows of others from being deleted for good.",
                mend=f"platformctl plugin enable {slug}, or platformctl plugin uninstall {slug}",
            )


def _mails(state: DatabaseState) -> Iterator[Finding]:
    for error, count in state.failed_mails.items():
        yield Finding(
            code="mails_failed",
            severity="warning",
            what=f"{count} mail{'' if count == 1 else 's'} could not be sent in the last day: {error}.",
            where="platformctl mail list --state failed",
            why="Whoever waits for a code or a notice has none.",
            mend=f"{advice_for(error)} Then platformctl mail resend --all.",
        )
