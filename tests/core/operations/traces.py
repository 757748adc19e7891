"""What a database holds, table by table, to tell whether something that was undone has left anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Query = Callable[[str], list[tuple[Any, ...]]]

OF_OPERATIONS = ("platform_core_operation", "platform_core_taskrecord", "procrastinate_")
"""Where operations themselves stand, and the jobs that run them."""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_OF_AN_OPERATION = "target_type = 'platform_core.operation'"
_OTHERS = {
    "platform_core_auditevent": f"WHERE NOT {_OF_AN_OPERATION}",
    "platform_core_auditpayload": (
        f"WHERE event_id NOT IN (SELECT id FROM platform_core_auditevent WHERE {_OF_AN_OPERATION})"
    ),
}


def contents(query: Query) -> Mapping[str, tuple[int, str]]:
    """Return for each table but those of operations how many rows it has, and a digest of them.

    Of the audit trail, the events that are about operations do not count.
    """
    tables = [name for (name,) in query(_TABLES) if not name.startswith(OF_OPERATIONS)]
    return {name: _content(query, name) for name in tables}


def changed(query: Query, before: Mapping[str, tuple[int, str]]) -> set[str]:
    """Return the tables that are not as ``contents`` told before."""
    now = contents(query)
    return {name for name in now if now[name] != before.get(name)}


def _content(query: Query, table: str) -> tuple[int, str]:
    ((count, digest),) = query(
        "SELECT count(*), coalesce(md5(string_agg(one::text, ',' ORDER BY one::text)), '') "
        f'FROM "{table}" AS one {_OTHERS.get(table, "")}'
    )
    return count, digest
