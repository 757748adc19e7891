"""What belongs to a plugin in the database: its own tables, and its rows in tables of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg import sql

from platform_core.registry.ownership import tables_of

HISTORY_COLUMNS = frozenset({"history_id", "history_date", "history_type"})

STABLE_FORM = (
    "SET LOCAL DateStyle TO 'ISO, MDY'",
    "SET LOCAL IntervalStyle TO 'iso_8601'",
    "SET LOCAL TimeZone TO 'UTC'",
    "SET LOCAL bytea_output TO 'hex'",
    "SET LOCAL extra_float_digits TO 1",
    "SET LOCAL lc_monetary TO 'C'",
)
"""What PostgreSQL's text of a value depends on: set alike, equal rows are equal bytes on every server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows of one table in a stable order; ``condition`` narrows them, ``None`` means the whole table."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    condition: sql.Composable | None = None

    @property
    def is_history(self) -> bool:
        """Whether it is a history table."""
        return set(self.columns) >= HISTORY_COLUMNS

    def copy_out(self) -> sql.Composed:
        """Return the statement that writes the rows to the client."""
        order = (
            sql.SQL(", ").join(map(sql.Identifier, self.key))
            if self.key
            else sql.SQL("({}.*)::text").format(sql.Identifier(self.table))
        )
        return sql.SQL("COPY (SELECT {} FROM {}{} ORDER BY {}) TO STDOUT").format(
            self._columns(), sql.Identifier(self.table), self._where(), order
        )

    def copy_in(self) -> sql.Composed:
        """Return the statement that reads rows from the client."""
        return sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(self.table), self._columns()
        )

    def delete(self) -> sql.Composed:
        """Return the statement that removes the rows."""
        return sql.SQL("DELETE FROM {}{}").format(sql.Identifier(self.table), self._where())

    def count(self) -> int:
        """Return the exact number of rows."""
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("SELECT count(*) FROM {}{}").format(
                    sql.Identifier(self.table), self._where()
                )
            )
            return int(cursor.fetchone()[0])

    def size(self) -> int:
        """Return the bytes that the whole table takes, indexes and large values included."""
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("SELECT pg_total_relation_size({})").format(sql.Literal(quoted(self.table)))
            )
            return int(cursor.fetchone()[0])

    def _columns(self) -> sql.Composable:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    def _where(self) -> sql.Composable:
        return sql.SQL("") if self.condition is None else sql.SQL(" WHERE ") + self.condition


def quoted(table: str) -> str:
    """Return ``table`` quoted, as a ``regclass`` is read."""
    return connection.ops.quote_name(table)


def own_parts(slug: str) -> list[Part]:
    """Return the plugin's own tables."""
    return [_part(table) for table in tables_of(slug)]


def parts_elsewhere(slug: str) -> list[Part]:
    """Return the plugin's rows in tables of the core: content types and their like, feature flags, its jobs and mails.

    What refers comes after what it refers to. The core is set up.
    """
    from django.contrib.contenttypes.models import ContentType
    from waffle import get_waffle_flag_model

    types = sql.SQL("app_label = {}").format(sql.Literal(slug))
    flag: Any = get_waffle_flag_model()
    flags = sql.SQL("starts_with(name, {})").format(sql.Literal(f"{slug}."))
    content_types, flag_table = ContentType._meta.db_table, flag._meta.db_table
    own = sql.SQL("plugin = {}").format(sql.Literal(slug))
    wanted = [
        (content_types, types),
        ("auth_permission", _within("content_type_id", content_types, types)),
        (flag_table, flags),
        *(
            (str(field.m2m_db_table()), _within(field.m2m_column_name(), flag_table, flags))
            for field in flag._meta.local_many_to_many
        ),
        (_JOBS, sql.SQL("queue_name = {}").format(sql.Literal(slug))),
        *((table, own) for table in _OF_PLUGINS),
    ]
    standing = set(connection.introspection.table_names())
    return [_part(table, condition) for table, condition in wanted if table in standing]


_JOBS = "procrastinate_jobs"
_OF_PLUGINS = (
    "platform_core_taskrecord",
    "platform_core_scheduletick",
    "platform_core_operation",
    "platform_core_settingchange",
    "platform_core_mail",
)


def _within(column: str, table: str, condition: sql.Composable) -> sql.Composable:
    return sql.SQL("{} IN (SELECT id FROM {} WHERE {})").format(
        sql.Identifier(column), sql.Identifier(table), condition
    )


def _part(table: str, condition: sql.Composable | None = None) -> Part:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
            "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            [quoted(table)],
        )
        columns = tuple(name for (name,) in cursor.fetchall())
        cursor.execute(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a "
            "ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
            "WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY a.attnum",
            [quoted(table)],
        )
        key = tuple(name for (name,) in cursor.fetchall())
    if table == _JOBS:  # which worker had a job last is gone with the worker
        columns = tuple(name for name in columns if name != "worker_id")
    return Part(table=table, columns=columns, key=key, condition=condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """Where the numbers of a column go on."""

    table: str
    column: str
    last_value: int
    is_called: bool


def sequences_of(parts: list[Part]) -> list[Sequence]:
    """Return the sequences that number columns of ``parts``, as they stand."""
    found = []
    with connection.cursor() as cursor:
        for part in parts:
            for column in part.columns:
                cursor.execute(
                    "SELECT pg_get_serial_sequence(%s, %s)", [quoted(part.table), column]
                )
                (name,) = cursor.fetchone()
                if name is None:
                    continue
                cursor.execute(
                    sql.SQL("SELECT last_value, is_called FROM {}").format(
                        sql.Identifier(*(word.strip('"') for word in name.split(".")))
                    )
                )
                last_value, is_called = cursor.fetchone()
                found.append(
                    Sequence(
                        table=part.table, column=column, last_value=last_value, is_called=is_called
                    )
                )
    return found


def set_sequence(sequence: Sequence) -> None:
    """Let the numbers of a column go on where the archive says."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
            [quoted(sequence.table), sequence.column, sequence.last_value, sequence.is_called],
        )


def pass_restored_numbers(parts: list[Part]) -> None:
    """Let the numbers of shared tables go on behind those that were restored; in another database they may be higher."""
    for sequence in sequences_of(parts):
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), highest) "
                    "FROM (SELECT max({}) AS highest FROM {}) AS restored WHERE highest > %s"
                ).format(sql.Identifier(sequence.column), sql.Identifier(sequence.table)),
                [quoted(sequence.table), sequence.column, sequence.last_value],
            )
