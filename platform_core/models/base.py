"""The abstract base of every model: identity, time, version, soft deletion and history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import IntegrityError, models, router, transaction
from django.utils.translation import gettext_lazy as _

from platform_core.errors import Conflict
from platform_core.models.fields import DeletedAtField, VersionField
from platform_core.models.history import RECORDED, RECORDS, is_unrecorded
from platform_core.models.identifiers import uuid7
from platform_core.models.inserts import insert_recorded
from platform_core.models.querysets import (
    AllObjects,
    LiveObjects,
    aggregates_of,
    lock_aggregates,
    rows_of,
    touch_aggregates,
)
from platform_core.models.referrers import DeletionBlocked, references_to_clear
from platform_core.models.refusals import deletion_named

RESTORED = "restored"


class BaseModel(models.Model):
    """A row with a UUIDv7, times, a version that every write bumps, soft deletion and history.

    ``unit_path`` names the way to the organisational unit that grants are scoped by, ``aggregate`` the way
    to the row whose version a write bumps too, ``history_excluded`` fields that history does not keep, and
    ``quiet_fields`` those whose writing alone is no new version, such as when a session was last used.
    ``personal_fields`` names the columns that say something about a person, ``not_personal_fields`` those that look
    as if they did.
    A ``Meta`` of a child inherits ``BaseModel.Meta``.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)
    version = VersionField(_("version"))
    deleted_at = DeletedAtField(_("deleted at"), null=True, blank=True, editable=False)

    unit_path: ClassVar[str] = ""
    aggregate: ClassVar[str] = ""
    history_excluded: ClassVar[tuple[str, ...]] = ()
    quiet_fields: ClassVar[tuple[str, ...]] = ()
    personal_fields: ClassVar[tuple[str, ...]] = ()
    not_personal_fields: ClassVar[tuple[str, ...]] = ()
    keeps_history: ClassVar[bool] = True
    history: ClassVar[Any]

    objects = LiveObjects()
    all_objects = AllObjects()

    class Meta:
        abstract = True
        base_manager_name = "all_objects"

    def save_base(
        self,
        raw: bool = False,
        force_insert: bool | tuple[Any, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Write the row and its history in one transaction; every way to save comes through here.

        The UPDATE adds one to the version that the database has, whatever the instance remembers, and
        the history's INSERT returns it: two statements, no lost count between concurrent saves. A new row and its
        history are one statement.
        """
        options = {"raw": raw, "force_insert": force_insert, "force_update": force_update}
        using = using or router.db_for_write(type(self), instance=self)
        if raw:
            super().save_base(**options, using=using, update_fields=update_fields)  # type: ignore[arg-type]
            return
        if update_fields is not None and is_unrecorded(type(self), update_fields):
            values = {name: getattr(self, name) for name in update_fields}
            rows_of(type(self), using).filter(pk=self.pk).update(**values)
            return
        if update_fields is not None:
            update_fields = frozenset(update_fields) | {"version", "updated_at"}
        with transaction.atomic(using=using, savepoint=False):
            if self.aggregate:
                row = rows_of(type(self), using).filter(pk=self.pk)
                roots = lock_aggregates(row)
            super().save_base(**options, using=using, update_fields=update_fields)  # type: ignore[arg-type]
            if self.aggregate:
                touch_aggregates(type(self), roots | aggregates_of(row), using=using)
            computed = [
                field.attname
                for field in self._meta.concrete_fields
                if hasattr(self.__dict__.get(field.attname), "resolve_expression")
            ]
            if computed:
                self.refresh_from_db(using=using, fields=computed)

    def _do_insert(
        self, manager: Any, using: str, fields: Any, returning_fields: Any, raw: bool
    ) -> Any:
        """Insert the row with its history where that is one statement, else leave it to Django and the signal."""
        self.__dict__.pop(RECORDED, None)
        if raw or not hasattr(type(self), RECORDS):
            return super()._do_insert(manager, using, fields, returning_fields, raw)  # type: ignore[misc]
        made = insert_recorded(self, fields, returning_fields, using=using)
        if made is None:
            return super()._do_insert(manager, using, fields, returning_fields, raw)  # type: ignore[misc]
        self.__dict__[RECORDED], returned = made
        return returned

    save_base.alters_data = True  # type: ignore[attr-defined]

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        """Hide the row; return the number of rows hidden, as Django does. Nothing cascades.

        Optional references to it (``SET_NULL``) are cleared with history. Raises ``DeletionBlocked`` when
        anything else refers to it. Deleting a deleted row does nothing.
        """
        using = using or router.db_for_write(type(self), instance=self)
        deleted = rows_of(type(self), using).filter(pk=self.pk).delete()
        self._read_back(using)
        return deleted

    delete.alters_data = True  # type: ignore[attr-defined]

    def restore(self, using: str | None = None) -> None:
        """Show a deleted row again; history records a change (``~``) with a reason.

        Raises ``Conflict`` when a live row meanwhile took what must be unique, or when what the row needs is
        deleted itself; optional references to deleted rows are cleared. References that the deletion
        cleared stay cleared. Restoring a live row does nothing.
        """
        using = using or router.db_for_write(type(self), instance=self)
        hidden = rows_of(type(self), using).filter(pk=self.pk).deleted()
        try:
            with transaction.atomic(using=using):
                cleared = references_to_clear(hidden, using=using)
                values = {"deleted_at": None, **dict.fromkeys(cleared)}
                hidden.write(values, "~", reason=RESTORED)
        except IntegrityError as error:
            raise Conflict(
                _("Another entry has taken its place meanwhile. Change or delete that one first."),
                code="restore_conflict",
            ) from error
        self._read_back(using)
        for name in cleared:
            setattr(self, name, None)

    restore.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self, using: str | None = None) -> tuple[int, dict[str, int]]:
        """Remove the row for good, with what cascades from it, as Django's ``delete()`` does; history stays.

        Raises ``ProtectedError`` or ``RestrictedError`` when a reference forbids it, and ``DeletionBlocked`` when rows
        of a dormant plugin, or of one that is not loaded, do.
        """
        using = using or router.db_for_write(type(self), instance=self)
        key = self.pk
        try:
            with deletion_named(using):
                roots = lock_aggregates(rows_of(type(self), using).filter(pk=key))
                removed = super().delete(using=using)
                touch_aggregates(type(self), roots, using=using)
        except DeletionBlocked:
            self.pk = key  # Django took it from the instance; the row has it still
            raise
        return removed

    hard_delete.alters_data = True  # type: ignore[attr-defined]

    def _read_back(self, using: str) -> None:
        state = (
            rows_of(type(self), using)
            .filter(pk=self.pk)
            .values_list("version", "updated_at", "deleted_at")
            .first()
        )
        if state is not None:
            self.version, self.updated_at, self.deleted_at = state
