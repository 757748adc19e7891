"""Remove a plugin for good: its archive first, then everything that it has, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, OperationalError, connection, transaction
from psycopg import sql

from platform_core.archives import files
from platform_core.archives.parts import own_parts, parts_elsewhere
from platform_core.archives.reading import Progress
from platform_core.archives.taking import applied_migrations, portable_grants, take_archive
from platform_core.archives.writing import ArchiveWriter
from platform_core.audit import Event, record
from platform_core.conf.deployment import Deployment
from platform_core.durable import replace_file
from platform_core.observability.exceptions import message_of
from platform_core.registry.configuration import write_lists
from platform_core.registry.lists import Lists
from platform_core.registry.ownership import known_labels, owner_of_table, tables_of
from platform_core.registry.problems import PluginErrors, PluginProblem

LOCK_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What is to be removed, from which lists, and where its archive goes."""

    slug: str
    deployment: Deployment
    lists: Lists
    target: Path

    @property
    def state(self) -> str:
        """``enabled``, ``dormant``, or ``unlisted`` for a plugin that only the database knows."""
        found = self.lists.state_of(self.slug)
        return "unlisted" if found == "available" else found

    @property
    def settings(self) -> Mapping[str, Any]:
        """The plugin's own table of ``platform.toml``."""
        return self.deployment.plugin_sections.get(self.slug, {})


def preview(removal: Removal) -> dict[str, Any]:
    """Return everything that would be removed, counted exactly; raises PluginErrors for what forbids it."""
    slug, data_dir = removal.slug, removal.deployment.data_dir
    refuse_references(slug)
    own, elsewhere = own_parts(slug), parts_elsewhere(slug)
    kept = files.files_of(data_dir, slug)
    source = portable_grants()
    grants = {} if source is None else source.export_grants(slug)
    found = {
        "plugin": slug,
        "state": removal.state,
        "tables": [
            {
                "name": part.table,
                "history": part.is_history,
                "rows": part.count(),
                "bytes": part.size(),
            }
            for part in own
        ],
        "elsewhere": [{"name": part.table, "rows": part.count()} for part in elsewhere],
        "migrations": list(applied_migrations(slug)),
        "grants": {kind: len(rows) for kind, rows in grants.items()},
        "grants_leave_with_it": source is not None,
        "files": {"count": len(kept), "bytes": sum(path.stat().st_size for path in kept)},
        "settings": sorted(removal.settings),
        "archive": str(removal.target),
    }
    nothing = not (own or found["migrations"] or kept or removal.settings)
    if nothing and removal.state == "unlisted" and not any(_rows(found, "elsewhere")):
        raise PluginErrors(
            [
                PluginProblem(
                    plugin=slug,
                    code="unknown_plugin",
                    message="There is nothing of it in this deployment.",
                    way_out="See platformctl plugin list.",
                )
            ]
        )
    return found


def _rows(found: Mapping[str, Any], part: str) -> list[int]:
    return [one["rows"] for one in found[part]]


def refuse_references(slug: str) -> None:
    """Raise PluginErrors for foreign keys of others that lead to the plugin's tables, naming each."""
    tables = list(tables_of(slug))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.conname, own.relname, other.relname FROM pg_constraint c "
            "JOIN pg_class own ON own.oid = c.confrelid JOIN pg_class other ON other.oid = c.conrelid "
            "WHERE c.contype = 'f' AND own.relnamespace = current_schema()::regnamespace "
            "AND own.relname = ANY(%s) AND NOT other.relname = ANY(%s) ORDER BY 3, 1",
            [tables, tables],
        )
        found = cursor.fetchall()
    labels = known_labels()
    if found:
        raise PluginErrors(
            [
                PluginProblem(
                    plugin=owner_of_table(other, labels) or other,
                    code="still_referenced",
                    place=f"{other}, {name}",
                    message=f'Its table has a foreign key to {own}, which belongs to "{slug}".',
                    way_out="Uninstall that plugin first, or a version of it without the reference.",
                )
                for name, own, other in found
            ]
        )


def uninstall(removal: Removal, progress: Progress) -> str:
    """Archive the plugin, remove it from the database, the lists and the data folder, and return the archive's seal.

    Everything in the database happens in one transaction, and the lists are written just before it is committed:
    killed at any point, the deployment has either everything, or a plugin in neither list that nothing starts with
    and ``uninstall`` removes, or nothing and the archive. Raises PluginErrors; then nothing was removed.
    """
    slug, deployment = removal.slug, removal.deployment
    tables = tables_of(slug)
    before: bytes | None = None
    try:
        with ArchiveWriter(removal.target, slug) as writer:
            with transaction.atomic():
                _hold(slug, tables)
                seal = take_archive(
                    writer,
                    slug,
                    state=removal.state,
                    data_dir=deployment.data_dir,
                    settings=removal.settings,
                    progress=progress,
                )
                writer.place()
                progress("Removing", 0, 1)
                _remove(slug)
                record(
                    Event(
                        action="plugin.uninstalled",
                        plugin=slug,
                        target_type="plugin",
                        target_id=slug,
                        details={"archive": removal.target.name, "seal": seal},
                    )
                )
                if deployment.file.exists():
                    before = write_lists(
                        deployment.file, removal.lists.without(slug), sections={slug: None}
                    )
            progress("Removing", 1, 1)
    except OperationalError as error:
        # Once the lists are written only the commit is left, and whether it came through nobody can say: without
        # the plugin in the lists nothing starts on what may be there.
        raise _in_use(slug) from error
    except BaseException as error:  # Ctrl-C too: what the transaction undid, the file undoes
        if before is not None:
            replace_file(deployment.file, before)
        if isinstance(error, DatabaseError):
            raise _refused(slug, error) from error
        raise
    files.remove_files(deployment.data_dir, slug)
    return seal


def _hold(slug: str, tables: Sequence[str]) -> None:
    """Lock ``tables`` before the snapshot is taken, so that what is removed is what was archived."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'")
        if tables:
            cursor.execute(
                sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
                    sql.SQL(", ").join(map(sql.Identifier, tables))
                )
            )
    if tables_of(slug) != tuple(tables):
        raise PluginErrors(
            [
                PluginProblem(
                    plugin=slug,
                    code="tables_changed",
                    message="Its tables were changed in this moment.",
                    way_out="Let the migration finish, then call it again; nothing was removed.",
                )
            ]
        )
    refuse_references(slug)


def _remove(slug: str) -> None:
    from platform_core.models import EventDelivery, PluginRecord

    source = portable_grants()
    if source is not None:
        source.remove_grants(slug)
    tables = tables_of(slug)
    with connection.cursor() as cursor:
        for part in reversed(parts_elsewhere(slug)):
            cursor.execute(part.delete())
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for kind, name in _views_of(slug):
            cursor.execute(sql.SQL("DROP {} {}").format(sql.SQL(kind), sql.Identifier(name)))
        if tables:
            cursor.execute(
                sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables)))
            )
        cursor.execute("DELETE FROM django_migrations WHERE app = %s", [slug])
    PluginRecord.objects.filter(slug=slug).delete()
    EventDelivery.objects.filter(plugin=slug).delete()


def _views_of(slug: str) -> list[tuple[str, str]]:
    labels = known_labels()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, relname "
            "FROM pg_class WHERE relkind IN ('v', 'm') AND starts_with(relname, %s) "
            "AND relnamespace = current_schema()::regnamespace ORDER BY oid DESC",
            [f"{slug}_"],
        )
        return [(kind, name) for kind, name in cursor if owner_of_table(name, labels) == slug]


def _in_use(slug: str) -> PluginErrors:
    problem = PluginProblem(
        plugin=slug,
        code="in_use",
        place="database",
        message="Its tables are in use, or the database went away.",
        way_out="Stop the running processes, then call it again; an archive that was written stays.",
    )
    return PluginErrors([problem])


def _refused(slug: str, error: DatabaseError) -> PluginErrors:
    problem = PluginProblem(
        plugin=slug,
        code="removal_refused",
        place="database",
        message=f"PostgreSQL refused: {message_of(error)}.",
        way_out="Remove what the message names, then call it again; an archive that was written stays.",
    )
    return PluginErrors([problem])
