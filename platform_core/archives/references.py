"""What restored rows refer to and is gone: find it, name it, and clear what may be cleared."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db import connection, models
from psycopg import sql

from platform_core.access.grants import MissingReference
from platform_core.archives.parts import quoted
from platform_core.models.history import OWN_COLUMNS

EXAMPLES = 5
CLEARED = "restored without what it referred to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dangling:
    """A foreign key of a restored table with rows that lead nowhere.

    ``remedy`` is ``null`` where the reference is optional, ``remove`` where the row is nothing but a link, else empty.
    """

    table: str
    column: str
    target: str
    target_column: str
    count: int
    keys: tuple[str, ...]
    remedy: str

    def as_missing(self) -> MissingReference:
        """Return it in the form that grants report theirs."""
        return MissingReference(
            place=f"{self.table}.{self.column}",
            target=self.target,
            count=self.count,
            keys=self.keys,
        )

    @property
    def condition(self) -> sql.Composed:
        """The SQL that is true for the rows that lead nowhere; the table is ``r``."""
        return sql.SQL(
            "r.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {target} t WHERE t.{key} = r.{column})"
        ).format(
            column=sql.Identifier(self.column),
            target=sql.Identifier(self.target),
            key=sql.Identifier(self.target_column),
        )


def dangling_references(tables: list[str]) -> list[Dangling]:
    """Return the foreign keys of ``tables`` whose rows lead nowhere; their constraints are still deferred."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT own.relname, a.attname, other.relname, b.attname, NOT a.attnotnull "
            "FROM pg_constraint c JOIN pg_class own ON own.oid = c.conrelid "
            "JOIN pg_class other ON other.oid = c.confrelid "
            "JOIN pg_attribute a ON a.attrelid = own.oid AND a.attnum = c.conkey[1] "
            "JOIN pg_attribute b ON b.attrelid = other.oid AND b.attnum = c.confkey[1] "
            "WHERE c.contype = 'f' AND cardinality(c.conkey) = 1 "
            "AND own.relnamespace = current_schema()::regnamespace AND own.relname = ANY(%s) "
            "ORDER BY 1, 2",
            [tables],
        )
        keys = cursor.fetchall()
    found = [
        _look(
            Dangling(
                table=table,
                column=column,
                target=target,
                target_column=target_column,
                count=0,
                keys=(),
                remedy=_remedy(table, column, nullable=nullable),
            )
        )
        for table, column, target, target_column, nullable in keys
    ]
    return [one for one in found if one.count]


def _look(key: Dangling) -> Dangling:
    row = sql.Identifier(key.table)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {} r WHERE {}").format(row, key.condition))
        count = int(cursor.fetchone()[0])
        cursor.execute(
            sql.SQL("SELECT DISTINCT r.{c}::text FROM {} r WHERE {} ORDER BY 1 LIMIT {}").format(
                row, key.condition, sql.Literal(EXAMPLES), c=sql.Identifier(key.column)
            )
        )
        first = tuple(str(value) for (value,) in cursor.fetchall())
    return Dangling(
        table=key.table,
        column=key.column,
        target=key.target,
        target_column=key.target_column,
        count=count,
        keys=first,
        remedy=key.remedy,
    )


def _remedy(table: str, column: str, *, nullable: bool) -> str:
    """Return what may be done: what the model says of the field, and of a field that it lost what the column allows."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.db_table != table:
            continue
        if model._meta.auto_created:
            return "remove"
        for field in model._meta.concrete_fields:
            if field.column == column:
                on_delete = getattr(field.remote_field, "on_delete", None)
                return "null" if nullable and on_delete is models.SET_NULL else ""
    return "null" if nullable else ""


def clear(key: Dangling) -> int:
    """Apply the remedy to the rows that lead nowhere and return their number; NULL is a new version with a history row.

    In SQL, because the tables may have an earlier schema than the models.
    """
    if key.remedy == "remove":
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("DELETE FROM {} r WHERE {}").format(
                    sql.Identifier(key.table), key.condition
                )
            )
            return int(cursor.rowcount)
    columns, history = _columns(key.table), _history_of(key.table)
    bump = ", version = r.version + 1" if "version" in columns else ""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("UPDATE {} r SET {} = NULL{} WHERE {} RETURNING r.id").format(
                sql.Identifier(key.table),
                sql.Identifier(key.column),
                sql.SQL(bump),
                key.condition,
            )
            if "id" in columns
            else sql.SQL("UPDATE {} r SET {} = NULL WHERE {}").format(
                sql.Identifier(key.table), sql.Identifier(key.column), key.condition
            )
        )
        changed = int(cursor.rowcount)
        if history and "id" in columns:
            ids = [pk for (pk,) in cursor.fetchall()]
            copied = sorted((columns & _columns(history)) - set(OWN_COLUMNS))
            names = sql.SQL(", ").join(map(sql.Identifier, copied))
            cursor.execute(
                sql.SQL(
                    "INSERT INTO {} ({names}, {own}) SELECT {names}, '~', {reason}, NULL, 'system', '', "
                    "clock_timestamp() FROM {} WHERE id = ANY(%s) ORDER BY id"
                ).format(
                    sql.Identifier(history),
                    sql.Identifier(key.table),
                    names=names,
                    own=sql.SQL(", ").join(map(sql.Identifier, OWN_COLUMNS)),
                    reason=sql.Literal(CLEARED),
                ),
                [ids],
            )
    return changed


def _columns(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
            "AND NOT attisdropped",
            [quoted(table)],
        )
        return {str(name) for (name,) in cursor.fetchall()}


def _history_of(table: str) -> str:
    for model in apps.get_models():
        history = getattr(model, "history", None)
        if model._meta.db_table == table and history is not None:
            return str(history.model._meta.db_table)
    return ""
