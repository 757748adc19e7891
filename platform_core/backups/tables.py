"""What a database holds, as a backup records it: rows by table, migrations, plugins, sizes."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from platform_core.backups.server import Connection

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
AND NOT c.relispartition ORDER BY 1, 2
"""


def count_rows(connection: Connection) -> dict[str, int]:
    """Return the number of rows of each table, exactly, keyed by ``schema.table``."""
    counts: dict[str, int] = {}
    for schema, table in connection.execute(_TABLES).fetchall():
        question = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        counts[f"{schema}.{table}"] = _one(connection, question)
    return counts


def recorded_plugins(connection: Connection) -> list[dict[str, str]]:
    """Return the plugins that the database's ledger knows, empty before the first migration."""
    if not _exists(connection, "platform_core_pluginrecord"):
        return []
    rows = connection.execute(
        "SELECT slug, distribution, version, state FROM platform_core_pluginrecord ORDER BY slug"
    )
    return [
        dict(zip(("slug", "distribution", "version", "state"), row, strict=True)) for row in rows
    ]


def applied_migrations(connection: Connection) -> list[str]:
    """Return the migrations that Django recorded, as ``label.name``."""
    if not _exists(connection, "django_migrations"):
        return []
    rows = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY id")
    return [name for (name,) in rows]


def database_size(connection: Connection) -> int:
    """Return the size of the connected database in bytes."""
    return _one(connection, sql.SQL("SELECT pg_database_size(current_database())"))


def server_version(connection: Connection) -> str:
    """Return the server's version, such as ``18.4``."""
    major, minor = divmod(connection.info.server_version, 10_000)
    return f"{major}.{minor}"


def other_clients(connection: Connection, database: str) -> int:
    """Return how many other connections ``database`` has."""
    return _one(
        connection,
        sql.SQL(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = {}"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).format(sql.Literal(database)),
    )


def differing_tables(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Return a sentence for each table whose number of rows is not the wanted one."""
    return [
        f"{name}: {found.get(name, 'no table')} instead of {wanted.get(name, 'no table')}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]


def _exists(connection: Connection, table: str) -> bool:
    return bool(_one(connection, sql.SQL("SELECT to_regclass({}) IS NOT NULL").format(table)))


def _one(connection: Connection, question: sql.Composed | sql.SQL) -> int:
    row = connection.execute(question).fetchone()
    return int(row[0]) if row else 0
