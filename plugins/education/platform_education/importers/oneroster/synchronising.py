"""Bringing one table to what a set says: create what is new, write what differs, leave the rest alone."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from platform_core.models import uuid7
from platform_education.importers.oneroster.counting import Counts
from platform_education.models import Enrollment, EnrollmentStatus
from platform_education.models.base import SourcedModel
from platform_education.services import tell_of_enrollments, tell_of_restored_enrollments

BATCH = 2_000
UPDATE_BATCH = 500
LARGE = 10_000
"""From how many rows of a set on the whole table is read instead of the rows by name."""

Item = TypeVar("Item")
Tick = Callable[[int, int], None]
Values = Mapping[str, Any]

_STATUS = "status"
_DATES = ("begin_date", "end_date")


@dataclass(slots=True)
class Difference:
    """What has to be done to one table, and the id of each sourcedId when that is done."""

    ids: dict[str, UUID] = field(default_factory=dict)
    new: list[SourcedModel] = field(default_factory=list)
    changed: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    hidden: set[UUID] = field(default_factory=set)
    """Deleted rows that the set has again."""
    unchanged: int = 0


def compare(model: type[SourcedModel], wanted: Mapping[str, Values]) -> Difference:
    """Return how the table of ``model`` differs from ``wanted`` (attributes by sourcedId, the same ones for each)."""
    difference = Difference()
    for sourced_id, (pk, deleted_at, now) in _stored(model, wanted).items():
        difference.ids[sourced_id] = pk
        changes = _changes(now, wanted[sourced_id])
        if deleted_at is not None:
            difference.hidden.add(pk)
        if changes:
            difference.changed[pk] = changes
        elif deleted_at is None:
            difference.unchanged += 1
    for sourced_id, values in wanted.items():
        if sourced_id not in difference.ids:
            row = model(id=uuid7(), sourced_id=sourced_id, **values)
            difference.new.append(row)
            difference.ids[sourced_id] = row.pk
    return difference


def synchronise(
    model: type[SourcedModel], wanted: Mapping[str, Values], counts: Counts, tick: Tick
) -> dict[str, UUID]:
    """Write the difference and count it; return the id of each wanted sourcedId."""
    difference = compare(model, wanted)
    total = len(wanted)
    restored = model.all_objects.filter(pk__in=difference.hidden)
    for row in restored:
        row.restore()
    done = difference.unchanged
    for batch in batches(difference.new, BATCH):
        model.objects.bulk_create(batch)
        if issubclass(model, Enrollment):
            tell_of_enrollments(batch)
        done += len(batch)
        tick(done, total)
    for keys in batches(difference.changed, UPDATE_BATCH):
        _update(model, {pk: difference.changed[pk] for pk in keys})
        done += len(keys)
        tick(done, total)
    if issubclass(model, Enrollment):  # as they are once the set has changed them
        for keys in batches(difference.hidden, BATCH):
            tell_of_restored_enrollments(list(model.objects.filter(pk__in=keys)))
    tick(total, total)
    counts.add(
        model.__name__,
        created=len(difference.new),
        updated=len(difference.changed.keys() | difference.hidden),
        unchanged=difference.unchanged,
    )
    return difference.ids


def delete(model: type[SourcedModel], sourced_ids: Sequence[str], counts: Counts) -> None:
    """Hide the live rows with these sourcedIds and count them; raises ``DeletionBlocked``."""
    for batch in batches(sourced_ids, BATCH):
        deleted, _by_model = model.objects.filter(sourced_id__in=batch).delete()
        counts.add(model.__name__, updated=deleted)


def batches(items: Any, size: int) -> Iterator[list[Any]]:
    """Yield ``items`` in lists of at most ``size``."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


Stored = tuple[UUID, datetime.datetime | None, dict[str, Any]]


def _stored(model: type[SourcedModel], wanted: Mapping[str, Values]) -> dict[str, Stored]:
    """Return id, deletion and compared attributes by sourcedId: of the live row, or of the one deleted last.

    Only the compared columns are loaded. A large set is compared with the table read through from end to end,
    which is much faster than asking for most of its rows by name.
    """
    if not wanted:
        return {}
    names = list(next(iter(wanted.values())))
    if any(column.name == _STATUS for column in model._meta.concrete_fields):
        names.append(_STATUS)
    rows = model.all_objects.order_by().values_list("sourced_id", "id", "deleted_at", *names)
    found: dict[str, Stored] = {}
    for part in [rows] if len(wanted) > LARGE else _named(rows, wanted):
        for sourced_id, pk, deleted_at, *values in part.iterator(BATCH):
            if sourced_id in wanted and _is_later(deleted_at, found.get(sourced_id)):
                found[sourced_id] = (pk, deleted_at, dict(zip(names, values, strict=True)))
    return found


def _named(rows: Any, wanted: Mapping[str, Values]) -> Iterator[Any]:
    for sourced_ids in batches(wanted, BATCH):
        yield rows.filter(sourced_id__in=sourced_ids)


def _is_later(deleted_at: datetime.datetime | None, other: Stored | None) -> bool:
    """Tell whether a row is to be preferred to another one found: live before deleted, late before early."""
    if other is None or deleted_at is None:
        return True
    return other[1] is not None and deleted_at > other[1]


def _changes(now: Values, wanted: Values) -> dict[str, Any]:
    """Return the attributes that differ; a withdrawal that was recorded here keeps its dates."""
    withdrawn = now.get(_STATUS) == EnrollmentStatus.WITHDRAWN
    return {
        name: value
        for name, value in wanted.items()
        if now[name] != value and not (withdrawn and name in _DATES)
    }


def _update(model: type[SourcedModel], changes: Mapping[UUID, Mapping[str, Any]]) -> None:
    rows = list(model.objects.filter(pk__in=changes.keys()))
    attributes: set[str] = set()
    for row in rows:
        for name, value in changes[row.pk].items():
            setattr(row, name, value)
            attributes.add(name)
    fields = [one.name for one in model._meta.concrete_fields if one.attname in attributes]
    model.objects.bulk_update(rows, fields)
