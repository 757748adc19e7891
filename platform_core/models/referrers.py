"""What refers to a row, and so forbids its deletion or is detached by it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import connections, models, router
from django.db.models import ForeignKey, ForeignObjectRel, QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalChanges

from platform_core.errors import Conflict

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Referrer:
    """Rows of one model that refer to what was to be deleted: whose, how many, and the ids of a few.

    ``model`` is the table's name where no loaded code has a model for it. ``way_out`` is empty where deleting or
    changing the rows is enough.
    """

    model: str
    label: StrOrPromise
    count: int
    examples: tuple[Any, ...]
    plugin: str = ""
    table: str = ""
    way_out: StrOrPromise = ""


class DeletionBlocked(Conflict):
    """Other rows still refer to it; ``referrers`` names them."""

    code = "in_use"

    def __init__(self, referrers: tuple[Referrer, ...]) -> None:
        listed = ", ".join(f"{found.count} × {found.label}" for found in referrers)
        ways = dict.fromkeys(
            found.way_out or _("Delete or change those first.") for found in referrers
        )
        super().__init__(
            format_lazy(
                "{reason} {listed}. {ways_out}",
                reason=_("It is still in use by"),
                listed=listed,
                ways_out=format_lazy(" ".join(["{}"] * len(ways)), *ways),
            )
        )
        self.referrers = referrers


def referring_fields(model: type[models.Model]) -> Iterator[ForeignKey[Any, Any]]:
    """Yield each foreign key that leads to ``model`` and counts.

    History is left out, dormant plugins are (their rows keep pointing at the hidden row), and so are the
    links of ``model``'s own many-to-many fields, which belong to the row itself.
    """
    dormant: frozenset[str] = getattr(settings, "PLATFORM_DORMANT_LABELS", frozenset())
    own_links = {
        (field.remote_field.through, field.m2m_field_name())
        for field in model._meta.local_many_to_many
    }
    for relation in model._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ForeignObjectRel) or relation.many_to_many:
            continue
        field = relation.field
        referring = field.model
        if not isinstance(field, ForeignKey) or issubclass(referring, HistoricalChanges):
            continue
        if referring._meta.app_label in dormant or referring._meta.proxy:
            continue
        if (referring, field.name) not in own_links:
            yield field


def rows_referring(
    field: ForeignKey[Any, Any], pks: Collection[UUID], *, using: str
) -> QuerySet[Any]:
    """Return the live rows that point at ``pks`` through ``field``, without those among ``pks`` themselves."""
    rows = field.model._base_manager.using(using).filter(**{f"{field.name}__in": pks})
    if _is_deletable(field.model):
        rows = rows.filter(deleted_at__isnull=True)
    if field.model._meta.concrete_model is field.related_model._meta.concrete_model:
        rows = rows.exclude(pk__in=pks)
    return rows


def detach_referrers(model: type[models.Model], pks: Collection[UUID], *, using: str) -> None:
    """Set optional references to ``pks`` to NULL; raises DeletionBlocked when others exist.

    Call it in a transaction that has locked ``pks``. References that another transaction has made but not
    committed are seen only when it called ``keep_for_reference``, which makes this one wait.
    """
    blocking: dict[type[models.Model], tuple[int, set[Any]]] = {}
    detached: list[ForeignKey[Any, Any]] = []
    for field in referring_fields(model):
        if field.remote_field.on_delete is models.SET_NULL:
            detached.append(field)
            continue
        rows = rows_referring(field, pks, using=using)
        holder, key = _holder(field)
        examples = list(rows.order_by(key).values_list(key, flat=True)[:EXAMPLES])
        if examples:
            count, seen = blocking.get(holder, (0, set()))
            blocking[holder] = (count + rows.count(), seen | set(examples))
    if blocking:
        raise DeletionBlocked(
            tuple(
                Referrer(
                    model=holder._meta.label,
                    label=holder._meta.verbose_name_plural or holder._meta.label,
                    count=count,
                    examples=tuple(sorted(seen)[:EXAMPLES]),
                    plugin=holder._meta.app_label,
                    table=holder._meta.db_table,
                )
                for holder, (count, seen) in blocking.items()
            )
        )
    for field in detached:
        rows_referring(field, pks, using=using).update(**{field.name: None})


def references_to_clear(row: QuerySet[Any], *, using: str) -> list[str]:
    """Return the optional references of the one deleted ``row`` that lead to deleted rows, which a restore clears.

    What it refers to is locked until the transaction ends, so that it stays. Raises Conflict, naming the field and
    nothing of the row, when a reference that has to be there leads to a deleted one.
    """
    cleared = []
    found = row.values().first() or {}
    for field in row.model._meta.concrete_fields:
        target = field.related_model
        key = found.get(field.attname)
        if not isinstance(field, ForeignKey) or key is None or not _is_deletable(target):
            continue
        wanted = {field.target_field.attname: key, "deleted_at__isnull": True}
        alive = target._base_manager.using(using).filter(**wanted).select_for_update(no_key=True)
        if alive.values_list("pk").first() is not None:
            continue
        if field.remote_field.on_delete is not models.SET_NULL:
            raise Conflict(
                format_lazy(
                    _("What it needs is deleted itself ({field}); restore that first."),
                    field=field.verbose_name,
                ),
                code="restore_conflict",
            )
        cleared.append(field.name)
    return cleared


def keep_for_reference(row: models.Model) -> bool:
    """Lock ``row`` against deletion until the transaction ends, and tell whether it is still there to refer to.

    Django's foreign keys are checked at the commit, when a row that was hidden meanwhile still exists. Others may
    refer to the row and read it at the same time.
    """
    options = row._meta
    connection = connections[row._state.db or router.db_for_write(type(row))]
    quote = connection.ops.quote_name
    alive = f" AND {quote('deleted_at')} IS NULL" if _is_deletable(type(row)) else ""
    statement = (
        f"SELECT 1 FROM {quote(options.db_table)} "  # noqa: S608  # nosec B608
        f"WHERE {quote(str(options.pk.column))} = %s{alive} FOR KEY SHARE"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [row.pk])
        return cursor.fetchone() is not None


def _is_deletable(model: type[models.Model]) -> bool:
    return any(column.name == "deleted_at" for column in model._meta.concrete_fields)


def _holder(field: ForeignKey[Any, Any]) -> tuple[type[models.Model], str]:
    """Return the model that a person would call the referrer, and where its key stands in the rows.

    For the hidden table of a many-to-many field that is the model which declares the field.
    """
    link = field.model
    if not link._meta.auto_created:
        return link, "pk"
    owner: type[models.Model] = link._meta.auto_created  # type: ignore[assignment]  # or False
    for many in owner._meta.local_many_to_many:
        if many.remote_field.through is link:
            return owner, many.m2m_field_name()
    return link, "pk"
