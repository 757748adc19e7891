"""Writing of orgs: each is a unit of identity's tree, and a school or another organisation beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from platform_education.importers.oneroster.counting import Counts
from platform_education.importers.oneroster.synchronising import Tick, synchronise
from platform_education.importers.oneroster.tables import SCHOOL, OrgRow
from platform_education.models import Organisation, School
from platform_identity.services import units as identity

UNIT = "OrgUnit"


def write_orgs(rows: Iterable[OrgRow], counts: Counts, tick: Tick) -> dict[str, UUID]:
    """Write units, organisations and schools; return the units' ids by the orgs' sourcedId, stored orgs included.

    An org without a parent in the set stays where its unit is: an admin may have put it below another one.
    """
    units = _stored_units()
    wanted: dict[type[School | Organisation], dict[str, dict[str, Any]]] = {
        Organisation: {},
        School: {},
    }
    ordered = list(_parents_first(rows))
    for done, row in enumerate(ordered, start=1):
        units[row.sourced_id] = unit = _write_unit(row, units, counts)
        values = {"name": row.name, "identifier": row.identifier, "unit_id": unit.pk}
        if row.type == SCHOOL:
            wanted[School][row.sourced_id] = values
        else:
            wanted[Organisation][row.sourced_id] = {**values, "kind": row.type}
        tick(done, len(ordered))
    for model, of_model in wanted.items():
        synchronise(model, of_model, counts, tick)
    return {sourced_id: unit.pk for sourced_id, unit in units.items()}


def _stored_units() -> dict[str, Any]:
    return {
        one.sourced_id: one.unit
        for model in (Organisation, School)
        for one in model.objects.select_related("unit")
        if one.unit is not None and one.unit.deleted_at is None
    }


def _write_unit(row: OrgRow, units: dict[str, Any], counts: Counts) -> Any:
    parent = units.get(row.parent)
    unit = units.get(row.sourced_id)
    if unit is None:
        counts.add(UNIT, created=1)
        return identity.create_unit(name=row.name, kind=row.type, parent=parent)
    renamed = (unit.name, unit.kind) != (row.name, row.type)
    moved = parent is not None and unit.parent_id != parent.pk
    if renamed:
        unit = identity.update_unit(unit=unit, name=row.name, kind=row.type)
    if moved:
        unit = identity.move_unit(unit=unit, parent=parent)
    changed = renamed or moved
    counts.add(UNIT, updated=int(changed), unchanged=int(not changed))
    return unit


def _parents_first(rows: Iterable[OrgRow]) -> Iterator[OrgRow]:
    """Yield the rows so that no org comes before its parent; the checks have excluded circles."""
    by_id = {row.sourced_id: row for row in rows}
    done: set[str] = set()
    for row in by_id.values():
        chain = []
        here: OrgRow | None = row
        while here is not None and here.sourced_id not in done:
            chain.append(here)
            done.add(here.sourced_id)
            here = by_id.get(here.parent)
        yield from reversed(chain)
