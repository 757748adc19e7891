"""Take an archive of a plugin: everything it has, seen at one moment, read back and compared before it counts."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

import platform_core
from platform_core.access.grants import PortableGrants, installed_grant_source
from platform_core.archives import files
from platform_core.archives.manifest import FILES, GRANTS, LEDGER, SETTINGS, Manifest, Table
from platform_core.archives.parts import (
    STABLE_FORM,
    Part,
    own_parts,
    parts_elsewhere,
    sequences_of,
)
from platform_core.archives.reading import Progress, open_archive
from platform_core.archives.writing import ArchiveWriter, rows_of
from platform_core.registry.problems import PluginErrors, PluginProblem


def portable_grants() -> PortableGrants | None:
    """Return the grant source when it can hand out what it knows of a plugin, else None."""
    source = installed_grant_source()
    return source if isinstance(source, PortableGrants) else None


def applied_migrations(slug: str) -> tuple[str, ...]:
    """Return the names of the plugin's applied migrations, in the order of their names."""
    applied = MigrationRecorder(connection).applied_migrations()
    return tuple(sorted(name for label, name in applied if label == slug))


def ledger_record(slug: str) -> dict[str, Any]:
    """Return what the ledger knows of the plugin; empty when it knows nothing."""
    from platform_core.models import PluginRecord

    return dict(PluginRecord.objects.filter(slug=slug).values().first() or {})


def take_archive(
    writer: ArchiveWriter,
    slug: str,
    *,
    state: str,
    data_dir: Path,
    settings: Mapping[str, Any],
    progress: Progress,
) -> str:
    """Write everything of ``slug``, prove the draft against the database, and return its seal.

    Call it in a REPEATABLE READ transaction that holds the plugin's tables. Raises PluginErrors when what was read
    back is not what the database holds.
    """
    with connection.cursor() as cursor:
        for statement in STABLE_FORM:
            cursor.execute(statement)
    own, elsewhere = own_parts(slug), parts_elsewhere(slug)
    counted = {part.table: part.count() for part in own}
    tables = _write_parts(writer, own, "rows", progress, total=sum(counted.values()))
    others = _write_parts(writer, elsewhere, "elsewhere", progress, total=0)
    _write_files(writer, slug, data_dir)
    record = ledger_record(slug)
    writer.add(LEDGER, [_json(record)])
    writer.add(SETTINGS, [_json(settings)])
    source = portable_grants()
    if source is not None:
        writer.add(GRANTS, [_json(source.export_grants(slug))])
    manifest = Manifest(
        slug=slug,
        distribution=str(record.get("distribution", "")),
        version=str(record.get("version", "")),
        state=state,
        schema=applied_migrations(slug),
        core_version=platform_core.__version__,
        postgresql=_server_version(),
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        tables=tables,
        elsewhere=others,
        sequences=tuple(sequences_of(own)),
        has_grants=source is not None,
        members=dict(writer.members),
    )
    writer.finish(manifest.as_dict())
    with open_archive(writer.draft, progress) as archive:
        wrong = [
            table.name
            for table in archive.manifest.tables
            if archive.manifest.members[table.member].rows != counted[table.name]
        ]
        if archive.manifest != manifest or wrong:
            raise _not_proved(slug, writer.target, wrong)
    return archive.seal


def _write_parts(
    writer: ArchiveWriter, parts: list[Part], folder: str, progress: Progress, *, total: int
) -> tuple[Table, ...]:
    done = 0
    for part in parts:
        member = writer.add(f"{folder}/{part.table}.copy", rows_of(part), counted=True)
        done += member.rows or 0
        if total:
            progress("Archiving rows", done, total)
    return tuple(
        Table(
            name=part.table,
            columns=part.columns,
            member=f"{folder}/{part.table}.copy",
            history=part.is_history,
        )
        for part in parts
    )


def _write_files(writer: ArchiveWriter, slug: str, data_dir: Path) -> None:
    folder = files.folder_of(data_dir, slug)
    for path in files.files_of(data_dir, slug):
        writer.copy(f"{FILES}{path.relative_to(folder).as_posix()}", path)


def _json(value: object) -> bytes:
    return json.dumps(value, default=str, ensure_ascii=False, indent=1).encode()


def _server_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


def _not_proved(slug: str, target: Path, tables: list[str]) -> PluginErrors:
    where = f" ({', '.join(tables)})" if tables else ""
    return PluginErrors(
        [
            PluginProblem(
                plugin=slug,
                code="archive_not_proved",
                place=str(target),
                message=f"What was read back from the new archive is not what the database holds{where}.",
                way_out="Check the disk, and call it again; nothing was removed.",
            )
        ]
    )
