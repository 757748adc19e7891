"""Put a plugin back from its archive: rows, history, sequences, flags, grants, in one transaction; then files and lists."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from platform_core.access.grants import MissingReference
from platform_core.archives import files
from platform_core.archives.manifest import FILES, GRANTS, LEDGER, SETTINGS
from platform_core.archives.parts import (
    STABLE_FORM,
    own_parts,
    parts_elsewhere,
    pass_restored_numbers,
    set_sequence,
)
from platform_core.archives.reading import Archive, Progress
from platform_core.archives.restored_rows import empty, load_tables, refusal, settle_references
from platform_core.archives.schema import SchemaSteps, steps_to
from platform_core.archives.taking import applied_migrations, ledger_record, portable_grants
from platform_core.audit import Event, record
from platform_core.conf.deployment import Deployment
from platform_core.durable import sync_folder
from platform_core.observability.exceptions import message_of
from platform_core.registry.configuration import write_lists
from platform_core.registry.lists import Lists
from platform_core.registry.ownership import tables_of

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
            raise refusal(
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
            raise refusal(
                slug,
                "rows_taken",
                f"Other rows of this database have keys of the archive's rows: {message_of(error)}.",
                "Restore it into the database that it was taken from, or a copy of that; no row was written.",
            ) from error
        raise refusal(
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
        raise refusal(
            slug,
            "another_restore",
            "A restore of another archive was begun and not completed.",
            "Complete it with that archive, or remove what it restored: platformctl plugin uninstall "
            f"{slug}.",
        )
    if record or tables_of(slug) or applied_migrations(slug):
        raise refusal(
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
        raise refusal(
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
    empty(slug)
    shared = parts_elsewhere(slug)
    load_tables(archive, manifest.elsewhere, shared, progress)
    pass_restored_numbers(shared)
    load_tables(archive, manifest.tables, own_parts(slug), progress)
    for sequence in manifest.sequences:
        set_sequence(sequence)
    cleared, left_out = settle_references(archive, clear_missing=clear_missing)
    source = portable_grants()
    if source is not None and manifest.has_grants:
        source.import_grants(slug, archive.document(GRANTS))
    _write_ledger(archive, RESTORING)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return Restored(rows=manifest.rows, cleared=cleared, left_out=left_out)


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
