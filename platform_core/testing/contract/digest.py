"""What the whole database holds, in short: two digests are the same when nothing was written between them."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection


def database_digest(*, besides: Collection[str] = ()) -> dict[str, str]:
    """Return a digest of the rows of every table ``besides`` those that are named."""
    names = [name for name in connection.introspection.table_names() if name not in besides]
    parts = [
        f"SELECT '{name}', md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) "  # noqa: S608  # nosec B608
        f"FROM {connection.ops.quote_name(name)} t"
        for name in names
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return dict(cursor.fetchall())
