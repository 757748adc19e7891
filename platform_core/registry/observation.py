"""Ask a deployment's database without booting it: what the ledger recorded, also when the plugins do not start."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from platform_core.audit.backlog import QUESTION, Backlog
from platform_core.conf.database import database_settings
from platform_core.conf.deployment import Deployment

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the ledger knows of one plugin; ``contents`` are rows of kind, name, version, place and facts."""

    slug: str
    distribution: str
    version: str
    state: str
    digest: str
    changed_at: datetime.datetime
    state_since: datetime.datetime | None = None
    contents_digest: str = ""
    contents: list[Row] = field(default_factory=list)

    @property
    def since(self) -> datetime.datetime:
        """When the plugin came into its state, as far as it is known."""
        return self.state_since or self.changed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """What a database holds; ``flags`` is by name what is stored, ``content_types`` are labels of models."""

    server_version: int
    tables: frozenset[str]
    migrations: frozenset[tuple[str, str]]
    content_types: frozenset[str]
    flags: dict[str, Row]
    ledger: dict[str, Recorded]
    rows: dict[str, int]
    """Rows of the tables of dormant plugins, counted up to ``MANY``."""
    failed_mails: dict[str, int] = field(default_factory=dict)
    """How many mails failed in the last day, by what the last attempt failed by; the commonest first."""
    unsealed: Backlog = field(default_factory=Backlog)
    """What waits in the audit trail."""


MANY = 10_000


@contextmanager
def connected(deployment: Deployment) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection; raises psycopg.Error when there is no database, PluginErrors for a wrong address."""
    values = database_settings(deployment.data_dir, os.environ, pool_size=None)
    with psycopg.connect(
        dbname=values["NAME"],
        user=values["USER"],
        password=values["PASSWORD"],
        host=values["HOST"],
        port=values["PORT"],
        **values["OPTIONS"],
    ) as connection:
        yield connection


def read_ledger(connection: psycopg.Connection[Any]) -> dict[str, Recorded]:
    """Return what the ledger records, by slug; of an older core without contributions, nothing before the first migrate."""
    if not has_table(connection, "platform_core_pluginrecord"):
        return {}
    # The tables' names: the models cannot be imported before Django is set up.
    rows = _rows(connection, "SELECT * FROM platform_core_pluginrecord ORDER BY slug")
    contents: dict[str, list[Row]] = {}
    if has_table(connection, "platform_core_plugincontribution"):
        for row in _rows(
            connection,
            "SELECT plugin_id, kind, name, version, place, facts, first_seen_at "
            "FROM platform_core_plugincontribution ORDER BY plugin_id, kind, name",
        ):
            contents.setdefault(row.pop("plugin_id"), []).append(row)
    known = Recorded.__dataclass_fields__
    return {
        row["slug"]: Recorded(
            **{name: value for name, value in row.items() if name in known},
            contents=contents.get(row["slug"], []),
        )
        for row in rows
    }


def read_state(connection: psycopg.Connection[Any]) -> DatabaseState:
    """Return what the database holds; nothing is changed."""
    ledger = read_ledger(connection)
    tables = frozenset(
        str(row["tablename"])
        for row in _rows(
            connection, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        )
    )
    dormant = {
        row["name"]
        for one in ledger.values()
        if one.state != "enabled"
        for row in one.contents
        if row["kind"] == "tables"
    }
    return DatabaseState(
        server_version=connection.info.server_version,
        tables=tables,
        migrations=frozenset(
            (row["app"], row["name"])
            for row in _rows_if(connection, tables, "django_migrations", "app, name")
        ),
        content_types=frozenset(
            f"{row['app_label']}.{row['model']}"
            for row in _rows_if(connection, tables, "django_content_type", "app_label, model")
        ),
        flags={
            row["name"]: row
            for row in _rows_if(connection, tables, "waffle_flag", "name, everyone, percent, note")
        },
        ledger=ledger,
        rows={name: _count(connection, name) for name in sorted(dormant & tables)},
        failed_mails=_failed_mails(connection) if "platform_core_mail" in tables else {},
        unsealed=_unsealed(connection, tables),
    )


def _failed_mails(connection: psycopg.Connection[Any]) -> dict[str, int]:
    rows = _rows(
        connection,
        "SELECT error, count(*) AS n FROM platform_core_mail "
        "WHERE state = 'failed' AND created_at > now() - interval '1 day' GROUP BY 1 ORDER BY 2 DESC",
    )
    return {row["error"]: row["n"] for row in rows}


def _unsealed(connection: psycopg.Connection[Any], tables: frozenset[str]) -> Backlog:
    if "platform_core_auditseal" not in tables:
        return Backlog()
    return Backlog(*(connection.execute(QUESTION).fetchone() or ()))


def _rows_if(
    connection: psycopg.Connection[Any], tables: frozenset[str], table: str, columns: str
) -> list[Row]:
    names = [sql.Identifier(name) for name in columns.split(", ")]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), sql.Identifier(table))
    return _rows(connection, query) if table in tables else []


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    query = sql.SQL("SELECT count(*) AS n FROM (SELECT 1 FROM {} LIMIT {}) AS seen")
    return int(_rows(connection, query.format(sql.Identifier(table), sql.Literal(MANY)))[0]["n"])


def has_table(connection: psycopg.Connection[Any], name: str) -> bool:
    """Tell whether the database has the table, or view, ``name``."""
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()
    return bool(found and found[0])


def _rows(connection: psycopg.Connection[Any], query: Any) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()
