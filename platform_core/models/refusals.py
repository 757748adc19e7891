"""What PostgreSQL refuses to delete because rows that Django does not see, or must not touch, still refer to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connections, models, transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from platform_core.models.referrers import DeletionBlocked, Referrer
from platform_core.registry.ownership import known_labels, owner_of_table

STILL_REFERENCED = frozenset({"23503", "23001"})

_KEY = re.compile(r"\((?P<columns>[^()]+)\)=\((?P<value>.+)\)")
"""How PostgreSQL tells the key in a refusal's detail, in whatever language the words around it are."""

_FOREIGN_KEYS = """
SELECT c.conname, other.relname, a.attname, own.relname, c.condeferrable
FROM pg_constraint c
JOIN pg_class own ON own.oid = c.confrelid
JOIN pg_class other ON other.oid = c.conrelid
JOIN pg_attribute a ON a.attrelid = other.oid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND cardinality(c.conkey) = 1
  AND own.relnamespace = current_schema()::regnamespace
ORDER BY other.relname, c.conname
"""


@dataclass(frozen=True, slots=True)
class _ForeignKey:
    name: str
    table: str
    column: str
    target: str
    deferrable: bool


@contextmanager
def deletion_named(using: str) -> Iterator[None]:
    """Delete inside a savepoint; raises DeletionBlocked when rows of a dormant or missing plugin forbid it.

    Their foreign keys are checked at the end of the block instead of at the commit, when nobody could name them any
    more. Refusals of other kinds are raised as they are.
    """
    connection = connections[using]
    try:
        with transaction.atomic(using=using):
            yield
            waiting = sorted({key.name for key in _unseen_keys(using) if key.deferrable})
            if waiting:
                names = sql.SQL(", ").join(map(sql.Identifier, waiting))
                with connection.cursor() as cursor:
                    cursor.execute(sql.SQL("SET CONSTRAINTS {} IMMEDIATE").format(names))
                    cursor.execute(sql.SQL("SET CONSTRAINTS {} DEFERRED").format(names))
    except (ProtectedError, RestrictedError):  # Django's own, which name the rows already
        raise
    except IntegrityError as error:
        found = referrers_of(error, using=using)
        if not found:
            raise
        raise DeletionBlocked(found) from error


def referrers_of(error: DatabaseError, *, using: str = "default") -> tuple[Referrer, ...]:
    """Return whose rows made PostgreSQL or Django refuse a deletion; empty when it is another refusal or cannot be asked.

    Call it after the rollback: the rows are there again, and are counted by plugin and table.
    """
    if isinstance(error, ProtectedError):
        return _counted(error.protected_objects)
    if isinstance(error, RestrictedError):
        return _counted(error.restricted_objects)
    cause: Any = error.__cause__
    diagnosis = getattr(cause, "diag", None)
    if diagnosis is None or getattr(cause, "sqlstate", None) not in STILL_REFERENCED:
        return ()
    connection = connections[using]
    key = _KEY.search(diagnosis.message_detail or "")
    if key is None or connection.needs_rollback:
        return ()
    keys = _keys_like(diagnosis.table_name, diagnosis.constraint_name, using=using)
    labels, found = known_labels(), []
    for one in keys:
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE {}::text = %s").format(
                    sql.Identifier(one.table), sql.Identifier(one.column)
                ),
                [key["value"]],
            )
            count = int(cursor.fetchone()[0])
        if count:
            found.append(_referrer(one.table, owner_of_table(one.table, labels), count))
    return tuple(found)


def _counted(rows: Iterable[models.Model]) -> tuple[Referrer, ...]:
    counts = Counter(row._meta.concrete_model or type(row) for row in rows)
    found = sorted(counts.items(), key=lambda entry: entry[0]._meta.label)
    return tuple(
        _referrer(model._meta.db_table, model._meta.app_label, count) for model, count in found
    )


def _keys_like(table: str, name: str, *, using: str) -> list[_ForeignKey]:
    """Return the foreign key that was violated, and those of unseen tables towards the same table; none when it was ours.

    A refusal names one; a person wants to hear of all of them at once.
    """
    keys = _foreign_keys(using)
    targets = {key.target for key in keys if (key.table, key.name) == (table, name)}
    unseen = _unseen_tables(keys)
    return [
        key
        for key in keys
        if key.target in targets and (key.table in unseen or (key.table, key.name) == (table, name))
    ]


def _unseen_keys(using: str) -> list[_ForeignKey]:
    keys = _foreign_keys(using)
    unseen = _unseen_tables(keys)
    return [key for key in keys if key.table in unseen]


def _foreign_keys(using: str) -> list[_ForeignKey]:
    with connections[using].cursor() as cursor:
        cursor.execute(_FOREIGN_KEYS)
        return [_ForeignKey(*row) for row in cursor.fetchall()]


def _unseen_tables(keys: list[_ForeignKey]) -> set[str]:
    """Return the tables among ``keys`` without a model, or with one of a dormant plugin."""
    dormant: frozenset[str] = getattr(settings, "PLATFORM_DORMANT_LABELS", frozenset())
    seen = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in dormant
    }
    return {key.table for key in keys} - seen


def _referrer(table: str, plugin: str, count: int) -> Referrer:
    dormant: frozenset[str] = getattr(settings, "PLATFORM_DORMANT_LABELS", frozenset())
    model = next(
        (one for one in apps.get_models(include_auto_created=True) if one._meta.db_table == table),
        None,
    )
    if model is None:
        label: Any = format_lazy(_("rows of {table}"), table=table)
        way_out = _(
            "They belong to “{plugin}”, which is not loaded. An operator can list it again, or remove it: "
            "platformctl plugin uninstall {plugin}."
        )
    else:
        label = model._meta.verbose_name_plural
        way_out = (
            _(
                "They belong to “{plugin}”, which is switched off. An operator can enable it, so that they can be "
                "deleted, or remove it: platformctl plugin uninstall {plugin}."
            )
            if model._meta.app_label in dormant
            else _("Delete or change those first.")
        )
    return Referrer(
        model=model._meta.label if model is not None else table,
        label=label,
        count=count,
        examples=(),
        plugin=plugin,
        table=table,
        way_out=format_lazy(way_out, plugin=plugin),
    )
