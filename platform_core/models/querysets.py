"""Querysets and managers whose every write bumps the version and leaves a history row."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import NotSupportedError, connections, models, transaction
from django.db.models import F, QuerySet, sql
from django.utils import timezone

from platform_core.models.history import HistoryType, is_unrecorded, record_history
from platform_core.models.referrers import detach_referrers

M = TypeVar("M", bound=models.Model, covariant=True)

KEPT_BY_THE_CORE = {
    "version": "the core counts it",
    "deleted_at": "use delete() or restore()",
}


class PlatformQuerySet(QuerySet[M]):
    """Rows of a ``BaseModel``. Also the base manager's queryset, which Django uses for ``SET_NULL``."""

    def alive(self) -> Self:
        """Keep the rows that are not deleted."""
        return self.filter(deleted_at__isnull=True)

    def deleted(self) -> Self:
        """Keep the deleted rows; only ``all_objects`` has any."""
        return self.filter(deleted_at__isnull=False)

    def update(self, **kwargs: Any) -> int:
        """Change all rows, one history row each; return their number.

        Only ``quiet_fields``: written as they are, without history row or new version. Raises ``TypeError`` for a slice and for columns that the core keeps.
        """
        for name, instead in KEPT_BY_THE_CORE.items():
            if name in kwargs:
                raise TypeError(f"{name} cannot be set by update(): {instead}.")
        if is_unrecorded(self.model, kwargs):
            return super().update(**kwargs)
        return len(self.write(kwargs))

    update.alters_data = True  # type: ignore[attr-defined]

    def write(
        self, values: dict[str, Any], kind: HistoryType = "~", *, reason: str = ""
    ) -> dict[UUID, int]:
        """Write ``values`` into all rows and record them; return the new version of each row by id.

        The core's own door: no column is refused. The rows are locked in the order of their ids, so that
        two writers of many rows cannot wait for each other; the UPDATE then judges the filters anew.
        """
        self._not_support_combined_queries("update")  # type: ignore[attr-defined]
        if self.query.is_sliced:
            raise TypeError("Cannot update a query once a slice has been taken.")
        self._for_write = True
        using = self.db
        values = {"updated_at": timezone.now(), **values, "version": F("version") + 1}
        _update_query(self, values)  # refuses unknown fields before anything is locked
        with transaction.atomic(using=using, savepoint=False):
            roots = lock_aggregates(self)
            locked = _lock(self)
            if not locked:
                return {}
            written = _update_returning_ids(self.filter(pk__in=locked), values)
            versions = record_history(self.model, written, kind, using=using, reason=reason)
            roots |= aggregates_of(rows_of(self.model, using).filter(pk__in=written))
            touch_aggregates(self.model, roots, using=using)
        self._result_cache = None
        return versions

    write.alters_data = True  # type: ignore[attr-defined]
    write.queryset_only = True  # type: ignore[attr-defined]

    def bulk_create(
        self,
        objs: Iterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[M]:
        """Insert all, one history row each.

        Raises ``NotSupportedError`` when conflicts are to be ignored or turned into updates: the
        database does not tell which rows it wrote, so history could not be right.
        """
        if ignore_conflicts or update_conflicts:
            raise NotSupportedError(
                "bulk_create() with ignore_conflicts or update_conflicts would leave history wrong: "
                "look up which rows exist, then bulk_create() the new and bulk_update() the others."
            )
        self._for_write = True
        using = self.db
        with transaction.atomic(using=using, savepoint=False):
            created = super().bulk_create(objs, batch_size=batch_size)
            pks = [row.pk for row in created]
            if pks:
                record_history(self.model, pks, "+", using=using)
                roots = aggregates_of(rows_of(self.model, using).filter(pk__in=pks))
                touch_aggregates(self.model, roots, using=using)
        return created

    bulk_create.alters_data = True  # type: ignore[attr-defined]

    def bulk_update(
        self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Write ``fields`` of all ``objs``, one history row each, and tell each its new version."""
        objs = tuple(objs)
        self._for_write = True
        using = self.db
        with transaction.atomic(using=using, savepoint=False):
            written = super().bulk_update(objs, fields, batch_size=batch_size)
            rows = rows_of(self.model, using).filter(pk__in=[row.pk for row in objs])
            state = {pk: rest for pk, *rest in rows.values_list("pk", "version", "updated_at")}
        for row in objs:
            if row.pk in state:
                row.version, row.updated_at = state[row.pk]  # type: ignore[attr-defined]
        return written

    bulk_update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        """Hide all rows; return their number as Django does. Nothing cascades.

        Optional references (``SET_NULL``) are cleared with history. Raises ``DeletionBlocked`` when
        anything else refers to one of the rows; then nothing is changed.
        """
        if self.query.is_sliced:
            raise TypeError("Cannot use 'limit' or 'offset' with delete().")
        self._for_write = True
        using = self.db
        with transaction.atomic(using=using):
            live = self.alive()
            lock_aggregates(live)
            locked = _lock(live)
            if not locked:
                return 0, {}
            detach_referrers(self.model, locked, using=using)
            rows = rows_of(self.model, using).alive().filter(pk__in=locked)
            written = rows.write({"deleted_at": timezone.now()}, "-")
        self._result_cache = None
        return len(written), {self.model._meta.label: len(written)}

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _raw_delete(self, using: str | None) -> int:
        """Delete for good without signals, as Django's collector does where nobody listens; with history."""
        using = using or self.db
        with transaction.atomic(using=using, savepoint=False):
            locked = _lock(self.using(using))
            if not locked:
                return 0
            record_history(self.model, locked, "-", using=using)
            rows = rows_of(self.model, using).filter(pk__in=locked)
            return int(super(PlatformQuerySet, rows)._raw_delete(using))


def rows_of(model: type[M], using: str) -> PlatformQuerySet[M]:
    """Return all rows of ``model``, deleted ones too, whatever managers the model has."""
    return PlatformQuerySet(model=model, using=using)


def _lock(queryset: PlatformQuerySet[Any]) -> list[UUID]:
    """Lock the rows of ``queryset`` until the transaction ends, in the order of their ids, and return these.

    The subquery lets it work with joins, DISTINCT and aggregates, which FOR UPDATE does not allow.
    """
    inner = queryset._chain()  # type: ignore[attr-defined]
    inner.query.select_for_update = False
    rows = rows_of(queryset.model, queryset.db).filter(pk__in=inner.values("pk"))
    return list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))


def _update_returning_ids(queryset: PlatformQuerySet[Any], values: dict[str, Any]) -> list[UUID]:
    """Run the UPDATE that Django would run and return the ids of the rows that it changed."""
    statement, parameters = _update_query(queryset, values).get_compiler(queryset.db).as_sql()
    connection = connections[queryset.db]
    options = queryset.model._meta
    key = f"{connection.ops.quote_name(options.db_table)}.{connection.ops.quote_name(options.pk.column)}"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} RETURNING {key}", parameters)
        return [row[0] for row in cursor.fetchall()]


def _update_query(queryset: PlatformQuerySet[Any], values: dict[str, Any]) -> sql.UpdateQuery:
    query: sql.UpdateQuery = queryset.query.chain(sql.UpdateQuery)  # type: ignore[assignment]
    query.add_update_values(values)
    query.clear_ordering(force=True)
    query.clear_select_clause()
    return query


def aggregate_model(model: type[models.Model]) -> type[models.Model] | None:
    """Return the model that ``model.aggregate`` leads to, or None when it is its own aggregate."""
    path: str = getattr(model, "aggregate", "")
    if not path:
        return None
    root: type[models.Model] = model
    for step in path.split("__"):
        root = root._meta.get_field(step).related_model  # type: ignore[assignment]
    return root


def aggregates_of(queryset: PlatformQuerySet[Any]) -> set[UUID]:
    """Return the ids of the aggregate rows that the rows of ``queryset`` belong to."""
    path: str = getattr(queryset.model, "aggregate", "")
    if not path:
        return set()
    return set(queryset.order_by().values_list(path, flat=True)) - {None}


def lock_aggregates(queryset: PlatformQuerySet[Any]) -> set[UUID]:
    """Lock the aggregate rows of ``queryset`` before its own rows are, and return their ids."""
    root = aggregate_model(queryset.model)
    if root is None:
        return set()
    found = aggregates_of(queryset)
    _lock(rows_of(root, queryset.db).filter(pk__in=found))
    return found


def touch_aggregates(model: type[models.Model], pks: Collection[UUID], *, using: str) -> None:
    """Bump the version of the rows ``pks`` that ``model.aggregate`` leads to, with a history row each."""
    root = aggregate_model(model)
    if root is not None and pks:
        rows_of(root, using).filter(pk__in=pks).write({})


class AllObjects(models.Manager.from_queryset(PlatformQuerySet)):  # type: ignore[misc]
    """All rows, deleted ones too; the base manager of every ``BaseModel``."""


class LiveObjects(models.Manager.from_queryset(PlatformQuerySet)):  # type: ignore[misc]
    """The rows that are not deleted; the default manager of every ``BaseModel``."""

    def get_queryset(self) -> PlatformQuerySet[Any]:
        """Return the live rows."""
        rows: PlatformQuerySet[Any] = super().get_queryset()
        return rows.alive()
