"""Copy the rows of an archive into its tables, prove that they are the same, and see to references that lead nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from psycopg import sql

from platform_core.access.grants import MissingReference
from platform_core.archives.manifest import GRANTS, Table
from platform_core.archives.parts import Part, parts_elsewhere
from platform_core.archives.reading import Archive, Progress
from platform_core.archives.references import clear, dangling_references
from platform_core.archives.taking import portable_grants
from platform_core.archives.writing import rows_of
from platform_core.registry.ownership import tables_of
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.sealed.format import measured


def empty(slug: str) -> None:
    """Take out what the migrations themselves have written: the archive holds it as it became."""
    tables = tables_of(slug)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for part in reversed(parts_elsewhere(slug)):
            cursor.execute(part.delete())
        if tables:
            cursor.execute(
                sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables)))
            )
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def load_tables(
    archive: Archive, tables: Sequence[Table], parts: list[Part], progress: Progress
) -> None:
    """Copy the rows in and read them back: what the database now holds has to be the archive, byte by byte."""
    slug = archive.manifest.slug
    by_name = {part.table: part for part in parts}
    total, done = sum(archive.manifest.members[one.member].rows or 0 for one in tables), 0
    for table in tables:
        part = by_name.get(table.name)
        if part is None or set(part.columns) != set(table.columns):
            raise refusal(
                slug,
                "schema_differs",
                f"The table {table.name} of the archive is not the one that its migrations make here.",
                "Install the version that the archive was taken from, restore, then upgrade.",
            )
        exact = Part(
            table=part.table, columns=table.columns, key=part.key, condition=part.condition
        )
        with connection.cursor() as cursor:
            copying: Any = cursor.copy(exact.copy_in())
            with copying as copy:
                for chunk in archive.chunks(table.member):
                    copy.write(chunk)
        wanted = archive.manifest.members[table.member]
        if measured(rows_of(exact), counted=True) != wanted:
            raise refusal(
                slug,
                "rows_differ",
                f"The rows of {table.name} are not in the database what they are in the archive.",
                "Look for triggers or rows of the same key that change them; no row was written.",
            )
        done += wanted.rows or 0
        if total:
            progress("Restoring rows", done, total)


def settle_references(
    archive: Archive, *, clear_missing: bool
) -> tuple[int, Sequence[MissingReference]]:
    """Clear optional references that lead nowhere when that is wanted; raises PluginErrors for what remains."""
    slug = archive.manifest.slug
    tables = [table.name for table in (*archive.manifest.elsewhere, *archive.manifest.tables)]
    cleared = 0
    remaining = []
    for one in dangling_references(tables):
        if clear_missing and one.remedy:
            cleared += clear(one)
        else:
            remaining.append((one.as_missing(), bool(one.remedy)))
    source = portable_grants()
    grants: Sequence[MissingReference] = ()
    if source is not None and archive.manifest.has_grants:
        grants = source.missing_grants(slug, archive.document(GRANTS))
    if not clear_missing:
        remaining += [(one, True) for one in grants]
    if remaining:
        raise PluginErrors([_missing(slug, one, optional) for one, optional in remaining])
    return cleared, grants


def _missing(slug: str, one: MissingReference, optional: bool) -> PluginProblem:
    more = ", …" if one.count > len(one.keys) else ""
    way_out = (
        "Restore what is missing first, or go on without these references: --clear-missing."
        if optional
        else "Restore what is missing first; this reference cannot be left empty."
    )
    return PluginProblem(
        plugin=slug,
        code="reference_missing",
        place=one.place,
        message=f"{one.count} rows refer to {one.target} that are gone: {', '.join(one.keys)}{more}.",
        way_out=way_out,
    )


def refusal(slug: str, code: str, message: str, way_out: str) -> PluginErrors:
    """Return the one problem for which a restore of ``slug`` stops."""
    return PluginErrors([PluginProblem(plugin=slug, code=code, message=message, way_out=way_out)])
