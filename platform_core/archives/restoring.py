"""Put a plugin back from its archive: rows, history, sequences, flags, grants, in one transaction; then files and lists."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from psycopg import sql

from platform_core.access.grants import MissingReference
from platform_core.archives import files
from platform_core.archives.manifest import FILES, GRANTS, LEDGER, SETTINGS, Table
from platform_core.archives.parts import (
    STABLE_FORM,
    Part,
    own_parts,
    parts_elsewhere,
    pass_restored_numbers,
    set_sequence,
)
from platform_core.archives.reading import Archive, Progress
from platform_core.archives.references import clear, dangling_references
from platform_core.archives.schema import SchemaSteps, steps_to
from platform_core.archives.taking import applied_migrations, ledger_record, portable_grants
from platform_core.archives.writing import rows_of
from platform_core.audit import Event, record
from platform_core.conf.deployment import Deployment
from platform_core.durable import sync_folder
from platform_core.observability.exceptions import message_of
from platform_core.registry.configuration import write_lists
from platform_core.registry.lists import Lists
from platform_core.registry.ownership import tables_of
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.sealed.format import measured

CREATING, RESTORING = "creating", "restoring"
"""States of the ledger while a restore is under way: tables are being made; rows are in, lists and files are not."""

_LOCK = 5_318_008_774_120_331_507


_UNIQUE = "23505"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did: how many optional references it cleared, and what of the grants it had to leave out."""

    rows: int
    cleared: int = 0
    left_out: Sequence[MissingReference] = ()


def restore(
    archive: Archive,
    *,
    deployment: Deployment,
    clear_missing: bool,
    dry_run: bool,
    progress: Progress,
) -> Restored:
    """Load a proved archive into the database; the plugin's models are loaded, its tables are not there.

    Raises PluginErrors when the plugin has tables, when its history is another one, or when rows refer to what is gone
    (unless ``clear_missing`` and the reference is optional). Then, and with ``dry_run``, nothing is changed.
    """
    slug = archive.manifest.slug
    under_way = _under_way(archive)
    if under_way != RESTORING:
        _refuse_files(archive, deployment)
    else:
        return Restored(rows=archive.manifest.rows)
    steps = steps_to(slug, archive.manifest.schema)
    if not steps.in_one_transaction:
        if dry_run:
            raise _refusal(
                slug,
                "no_dry_run",
                "One of its migrations runs outside a transaction, so it cannot be tried and undone.",
                "Try it on a copy of the deployment.",
            )
        _write_ledger(archive, CREATING)
        steps.apply()
    try:
        with transaction.atomic():
            done = _load(archive, steps, clear_missing=clear_missing, progress=progress)
            record(
                Event(action="plugin.restored", plugin=slug, target_type="plugin", target_id=slug)
            )
            if dry_run:
                transaction.set_rollback(True)
    except (DatabaseError, psycopg.Error) as error:  # COPY raises psycopg's own
        if getattr(error.__cause__ or error, "sqlstate", "") == _UNIQUE:
            raise _refusal(
                slug,
                "rows_taken",
                f"Other rows of this database have keys of the archive's rows: {message_of(error)}.",
                "Restore it into the database that it was taken from, or a copy of that; no row was written.",
            ) from error
        raise _refusal(
            slug,
            "restore_refused",
            f"PostgreSQL refused: {message_of(error)}.",
            "Remove what the message names, then call it again; no row was written.",
        ) from error
    return done


def finish(archive: Archive, *, deployment: Deployment, lists: Lists) -> None:
    """Put back files, then lists and settings; each step may be repeated. A migrate completes the restore."""
    manifest = archive.manifest
    folder = files.folder_of(deployment.data_dir, manifest.slug)
    if manifest.files and not folder.exists():
        draft = folder.with_name(f".{manifest.slug}.restoring")
        shutil.rmtree(draft, ignore_errors=True)
        for name in manifest.files:
            archive.extract(name, draft / name.removeprefix(FILES))
        draft.rename(folder)
        sync_folder(folder.parent)
    settings = archive.document(SETTINGS)
    present = deployment.plugin_sections.get(manifest.slug)
    sections = {manifest.slug: settings} if settings and present is None else {}
    write_lists(deployment.file, lists, sections=sections)


def _under_way(archive: Archive) -> str:
    """Return how far an earlier restore of this archive came; raises PluginErrors when the plugin is there already."""
    slug = archive.manifest.slug
    record = ledger_record(slug)
    if record.get("state") in (CREATING, RESTORING):
        if record["digest"] == archive.seal:
            return str(record["state"])
        raise _refusal(
            slug,
            "another_restore",
            "A restore of another archive was begun and not completed.",
            "Complete it with that archive, or remove what it restored: platformctl plugin uninstall "
            f"{slug}.",
        )
    if record or tables_of(slug) or applied_migrations(slug):
        raise _refusal(
            slug,
            "already_there",
            "It has tables in this database; an archive is restored only where there are none.",
            f"Take those out first, into an archive of their own: platformctl plugin uninstall {slug}.",
        )
    return ""


def _refuse_files(archive: Archive, deployment: Deployment) -> None:
    slug = archive.manifest.slug
    folder = files.folder_of(deployment.data_dir, slug)
    if archive.manifest.files and folder.exists():
        raise _refusal(
            slug,
            "files_there",
            f"It has files in {folder} already.",
            "Move that folder away.",
        )


def _load(
    archive: Archive, steps: SchemaSteps, *, clear_missing: bool, progress: Progress
) -> Restored:
    manifest = archive.manifest
    slug = manifest.slug
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for statement in STABLE_FORM:
            cursor.execute(statement)
    if steps.in_one_transaction:
        progress("Creating tables", 0, 1)
        steps.apply()
        progress("Creating tables", 1, 1)
    _empty(slug)
    shared = parts_elsewhere(slug)
    _load_tables(archive, manifest.elsewhere, shared, progress)
    pass_restored_numbers(shared)
    _load_tables(archive, manifest.tables, own_parts(slug), progress)
    for sequence in manifest.sequences:
        set_sequence(sequence)
    cleared, left_out = _settle(archive, clear_missing=clear_missing)
    source = portable_grants()
    if source is not None and manifest.has_grants:
        source.import_grants(slug, archive.document(GRANTS))
    _write_ledger(archive, RESTORING)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return Restored(rows=manifest.rows, cleared=cleared, left_out=left_out)


def _empty(slug: str) -> None:
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


def _load_tables(
    archive: Archive, tables: Sequence[Table], parts: list[Part], progress: Progress
) -> None:
    """Copy the rows in and read them back: what the database now holds has to be the archive, byte by byte."""
    slug = archive.manifest.slug
    by_name = {part.table: part for part in parts}
    total, done = sum(archive.manifest.members[one.member].rows or 0 for one in tables), 0
    for table in tables:
        part = by_name.get(table.name)
        if part is None or set(part.columns) != set(table.columns):
            raise _refusal(
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
            raise _refusal(
                slug,
                "rows_differ",
                f"The rows of {table.name} are not in the database what they are in the archive.",
                "Look for triggers or rows of the same key that change them; no row was written.",
            )
        done += wanted.rows or 0
        if total:
            progress("Restoring rows", done, total)


def _settle(archive: Archive, *, clear_missing: bool) -> tuple[int, Sequence[MissingReference]]:
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


def _write_ledger(archive: Archive, state: str) -> None:
    """Mark in the ledger how far the restore of this archive has come; the next synchronisation overwrites it."""
    from platform_core.models import PluginRecord

    manifest = archive.manifest
    known = archive.document(LEDGER) or {}
    PluginRecord.objects.update_or_create(
        slug=manifest.slug,
        defaults={
            "distribution": manifest.distribution,
            "version": manifest.version,
            "state": state,
            "digest": archive.seal,
            "changed_at": timezone.now(),
        },
    )
    if known.get("first_seen_at"):
        PluginRecord.objects.filter(slug=manifest.slug).update(first_seen_at=known["first_seen_at"])


def _refusal(slug: str, code: str, message: str, way_out: str) -> PluginErrors:
    return PluginErrors([PluginProblem(plugin=slug, code=code, message=message, way_out=way_out)])
