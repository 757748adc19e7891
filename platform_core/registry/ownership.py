"""Which plugin a table belongs to, told by the database alone: also when no installed code knows the table."""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps
from django.db import connection

_LEDGER = "SELECT slug FROM platform_core_pluginrecord"
_MIGRATED = "SELECT DISTINCT app FROM django_migrations"


def owner_of_table(table: str, slugs: Iterable[str]) -> str:
    """Return the slug whose prefix ``table`` carries, the longest that fits; empty when none does."""
    fitting = [slug for slug in slugs if table.startswith(f"{slug}_")]
    return max(fitting, key=len, default="")


def known_labels() -> frozenset[str]:
    """Return the app labels that own tables here: loaded ones, and those that only ledger or migrations remember."""
    found = {config.label for config in apps.get_app_configs()}
    with connection.cursor() as cursor:
        standing = set(connection.introspection.table_names(cursor))
        for table, query in (
            ("platform_core_pluginrecord", _LEDGER),
            ("django_migrations", _MIGRATED),
        ):
            if table in standing:
                cursor.execute(query)
                found |= {str(label) for (label,) in cursor.fetchall()}
    return frozenset(found)


def tables_of(slug: str) -> tuple[str, ...]:
    """Return the tables of ``slug`` in this database by name, history and links included; partitions are left out."""
    slugs = known_labels() | {slug}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
            "AND relnamespace = current_schema()::regnamespace AND starts_with(relname, %s) "
            "ORDER BY relname",
            [f"{slug}_"],
        )
        return tuple(name for (name,) in cursor.fetchall() if owner_of_table(name, slugs) == slug)
