"""History: one row per write, copied by the database from the row itself, with who, why and in which request.

django-simple-history makes the tables and the ``history`` manager. The rows are written by
``record_history`` with ``INSERT … SELECT``: what is recorded is what the database holds, so expressions,
bulk writes and races come out right, and the copy costs one statement however many rows there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from django.db import connections, models
from django.db.models.signals import class_prepared, post_save, pre_delete
from simple_history.models import HistoricalRecords

from platform_core.access.actors import current_actor, current_reason, current_request_id
from platform_core.audit.actions import is_running
from platform_core.audit.recording import Event, write_events
from platform_core.models.fields import DeletedAtField, VersionField

if TYPE_CHECKING:
    from platform_core.models.base import BaseModel

HistoryType = Literal["+", "~", "-"]

ALWAYS_EXCLUDED = frozenset({"password", "last_login"})
RECORDS = "_history_records"
RECORDED = "_recorded_version"
"""Where an instance keeps the version that its own INSERT has recorded already."""
PLAIN: dict[type[Any], type[Any]] = {
    VersionField: models.PositiveBigIntegerField,
    DeletedAtField: models.DateTimeField,
}
TOLD_AS: dict[HistoryType, str] = {"+": "create", "~": "update", "-": "delete"}
"""What a write that leaves history is called in the audit trail."""
OWN_COLUMNS = (
    "history_type",
    "history_change_reason",
    "actor_id",
    "actor_kind",
    "request_id",
    "history_date",
)


class HistoryEntry(models.Model):
    """What every history row knows beside the copied fields.

    The actor is a UUID and a kind, not a foreign key: it may be a service or gone, and a foreign key to
    the user model in every table makes ``migrate`` superlinear.
    """

    actor_id = models.UUIDField(null=True, editable=False)
    actor_kind = models.CharField(max_length=20, editable=False)
    request_id = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True


class PlatformHistory(HistoricalRecords):  # type: ignore[misc]  # the library has no types
    """Builds the history table of one model and listens to the signals of that model and its proxies."""

    def __init__(self, model: type[BaseModel]) -> None:
        super().__init__(
            bases=(HistoryEntry,),
            excluded_fields=excluded_from_history(model),
            history_id_field=models.BigAutoField(),
            history_change_reason_field=models.TextField(blank=True, default=""),
        )
        self.manager_name = "history"
        self.cls = model
        self.module = model.__module__

    def _get_history_user_fields(self) -> dict[str, Any]:
        return {}

    def copy_fields(self, model: type[models.Model]) -> dict[str, models.Field[Any, Any]]:
        """Return the fields of the history table; version and deletion are plain values there."""
        fields: dict[str, models.Field[Any, Any]] = super().copy_fields(model)
        for field in fields.values():
            if plain := PLAIN.get(type(field)):
                field.__class__ = plain
        return fields

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        """Return the history model's ``Meta``, in the app of the model itself."""
        return {**super().get_meta_options(model), "app_label": model._meta.app_label}

    def listen_to(self, proxy: type[models.Model]) -> None:
        """Record what is saved and deleted through ``proxy``: Django sends its signals under its own name."""
        post_save.connect(self.post_save, sender=proxy, weak=False)
        pre_delete.connect(self.pre_delete, sender=proxy, weak=False)

    def post_save(
        self,
        instance: BaseModel,
        created: bool,
        using: str,
        raw: bool = False,
        **kwargs: object,
    ) -> None:
        """Record a saved row and tell the instance its version; fixtures bring their own history."""
        if raw:
            return
        recorded: int | None = instance.__dict__.pop(RECORDED, None)
        if created and recorded is not None:
            instance.version = recorded
            tell_of_write(self.cls, [instance.pk], "+", using=using)
            return
        versions = record_history(self.cls, [instance.pk], "+" if created else "~", using=using)
        instance.version = versions[instance.pk]

    def pre_delete(self, instance: BaseModel, using: str, **kwargs: object) -> None:
        """Record the last state of a row that is about to be removed for good."""
        record_history(self.cls, [instance.pk], "-", using=using)

    def post_delete(self, *args: object, **kwargs: object) -> None:
        """Do nothing: the row was recorded while it was still there to be copied."""


def excluded_from_history(model: type[BaseModel]) -> list[str]:
    """Return the names of fields that history does not keep.

    Beside the model's ``history_excluded`` these are secrets (``password``, fields whose class says
    ``encrypted = True``), ``last_login``, and generated columns, which follow from the others.
    """
    return [
        field.name
        for field in model._meta.fields
        if field.name in ALWAYS_EXCLUDED
        or field.name in (*model.history_excluded, *model.quiet_fields)
        or field.attname in model.history_excluded
        or getattr(field, "encrypted", False)
        or field.generated
    ]


def is_unrecorded(model: type[models.Model], names: Iterable[str]) -> bool:
    """Return whether ``names`` are only fields whose writing is no new version: the model's ``quiet_fields``."""
    named = set(names)
    return bool(named) and named <= {*getattr(model, "quiet_fields", ()), "last_login"}


def record_history(
    model: type[models.Model],
    pks: Collection[UUID],
    kind: HistoryType,
    *,
    using: str,
    reason: str = "",
) -> dict[UUID, int]:
    """Copy the rows ``pks`` of ``model`` into its history as they are now; return the version of each.

    The rows are locked, so that the copy is the state that the surrounding transaction leaves. The time
    is the server's at the moment of the copy: under the row's lock it grows with the version.
    """
    concrete: Any = model._meta.concrete_model or model
    quote = connections[using].ops.quote_name
    table, target, source = history_columns(concrete, using)
    key, version = (quote(concrete._meta.get_field(name).column) for name in ("id", "version"))
    statement = (
        f"INSERT INTO {table} ({target}) "  # noqa: S608  # nosec B608  (names of the model)
        f"SELECT {source}, %s, %s, %s, %s, %s, clock_timestamp() "
        f"FROM {quote(concrete._meta.db_table)} WHERE {key} = ANY(%s) ORDER BY {key} FOR UPDATE "
        f"RETURNING {key}, {version}"
    )
    with connections[using].cursor() as cursor:
        cursor.execute(statement, [*recorded_by(kind, reason), list(pks)])
        versions = dict(cursor.fetchall())
    tell_of_write(concrete, versions.keys(), kind, using=using, reason=reason)
    return versions


def recorded_by(kind: HistoryType, reason: str = "") -> list[Any]:
    """Return what a history row knows of its write, but for the time, in the order of ``OWN_COLUMNS``."""
    actor = current_actor()
    return [
        kind,
        reason or current_reason(),
        actor.id,
        actor.kind,
        current_request_id() or "",
    ]


@cache
def history_columns(model: type[models.Model], using: str) -> tuple[str, str, str]:
    """Return the history table, its columns and those of ``model`` that are copied, as SQL.

    ``OWN_COLUMNS`` are the last of its columns.
    """
    table: type[models.Model] = model.history.model  # type: ignore[attr-defined]
    quote = connections[using].ops.quote_name
    columns = {
        field.name: quote(field.column) for field in table._meta.concrete_fields if field.column
    }
    copied: list[models.Field[Any, Any]] = table.tracked_fields  # type: ignore[attr-defined]
    source = [quote(field.column) for field in copied if field.column]
    target = [columns[field.name] for field in copied] + [columns[name] for name in OWN_COLUMNS]
    return quote(table._meta.db_table), ", ".join(target), ", ".join(source)


def tell_of_write(
    model: type[models.Model],
    pks: Collection[UUID],
    kind: HistoryType,
    *,
    using: str,
    reason: str = "",
) -> None:
    """Record a write that no action of the audit trail tells of: that of a command, a task, or a view of its own."""
    if not pks or is_running():
        return
    one = len(pks) == 1
    told = Event(
        action=TOLD_AS[kind],
        plugin=model._meta.app_label,
        target_type=model._meta.label_lower,
        target_id=str(next(iter(pks))) if one else "",
        reason=reason,
        details={} if one else {"rows": len(pks)},
    )
    write_events([told], using=using)


def keep_history_of(sender: type[models.Model], **kwargs: object) -> None:
    """Give each concrete ``BaseModel`` its history as soon as its class is ready.

    The models that migrations make up are not the real ones, and history has no history.
    """
    if not getattr(sender, "keeps_history", False) or sender.__module__ == "__fake__":
        return
    options = sender._meta
    if options.abstract or options.swapped:
        return
    if options.proxy:
        getattr(sender, RECORDS).listen_to(sender)
        return
    records = PlatformHistory(sender)  # type: ignore[arg-type]  # only BaseModel keeps history
    setattr(sender, RECORDS, records)
    records.finalize(sender)


class_prepared.connect(keep_history_of, dispatch_uid="platform_core.models.history")
