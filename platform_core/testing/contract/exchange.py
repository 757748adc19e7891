"""Files: an export is its list, row for row, for whoever may; it holds no formula, and others get none."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl
import orjson
from django.db import DatabaseError, models, transaction

from platform_core.access import Actor
from platform_core.exchange.cells import as_text, encode, neutralise
from platform_core.exchange.xlsx_writing import unescape
from platform_core.resource.columns import column_of
from platform_core.testing.actors import client_for, new_user
from platform_core.testing.contract.bodies import serializer_for
from platform_core.testing.contract.subjects import (
    PERSONAS,
    ResourceSubject,
    persona,
    stage,
    undone,
)
from platform_core.testing.factories import make, make_many

FORMULA = "=1+1"
_FORMATS = ("jsonl", "csv", "xlsx")
_Row = Mapping[str, Any]


def check_exports(subject: ResourceSubject) -> None:
    """Assert that the export of a resource shows each persona its list, if they may, and never a formula.

    A resource whose policy names no permission to export has no such route, and one for import neither.
    """
    policy = subject.resource.policy.actions
    with stage() as grants:
        row = make(subject.model)
        make_many(subject.model, 3)
        for verb, method in (("export", "get"), ("import", "post")):
            if verb not in policy:
                _require_no_route(subject, persona("holder", grants, subject), verb, method)
        if "export" not in policy or subject.action("list") is None:
            return
        with undone():
            _plant_formula(row)
            for who in PERSONAS:
                _check_persona(subject, persona(who, grants, subject), who)
            on_one = new_user()
            grants.give(on_one, policy["view"])
            grants.give(on_one, policy["export"], objects=[row])
            _check_one_row(subject, on_one, row)


def _require_no_route(subject: ResourceSubject, actor: Actor, verb: str, method: str) -> None:
    status = getattr(client_for(actor), method)(f"{subject.url}{verb}/").status_code
    if status not in (404, 405):
        raise AssertionError(
            f"{subject}: {verb} answers {status}, though its policy names no permission for it."
        )


def _plant_formula(row: Any) -> None:
    """Put a formula into a text column of ``row`` that takes any text, if there is one."""
    for field in row._meta.concrete_fields:
        if not isinstance(field, (models.CharField, models.TextField)) or field.choices:
            continue
        try:
            with transaction.atomic():
                type(row)._base_manager.filter(pk=row.pk).update(**{field.name: FORMULA})
        except DatabaseError:
            continue


def _check_persona(subject: ResourceSubject, actor: Actor, who: str) -> None:
    client: Any = client_for(actor)
    allowed = subject.rule(subject.resource.policy.permission("export")).may_hold(
        Actor(actor.id, actor.kind), subject.model
    )
    refused = 403 if actor.is_authenticated else 401
    for name in _FORMATS:
        response = client.get(f"{subject.url}export/?format={name}")
        content = _whole(response)
        if not allowed:
            if response.status_code != refused:
                raise AssertionError(
                    f"{subject}: export answers {response.status_code} to {who}, not {refused}."
                )
            continue
        if response.status_code != 200:
            raise AssertionError(f"{subject}: export answers {response.status_code} to {who}.")
        if who == "holder":
            _require_equal(subject, actor, name, content, _listed(client, subject.url))


def _whole(response: Any) -> bytes:
    """Return all that comes: a stream left half read would end its transaction whenever it is collected."""
    return b"".join(response.streaming_content) if response.streaming else response.content


def _check_one_row(subject: ResourceSubject, actor: Actor, row: Any) -> None:
    rule = subject.rule(subject.resource.policy.permission("export"))
    fresh = Actor(actor.id, actor.kind)
    rows = subject.resource(slug=subject.slug).get_queryset()
    wanted = {str(one.pk) for one in rows if rule.test(fresh, one, model=subject.model)}
    response: Any = client_for(actor).get(f"{subject.url}export/?format=jsonl")
    content = _whole(response)
    found = {str(one.get("id")) for one in map(orjson.loads, content.splitlines())}
    if response.status_code != 200 or found != wanted:
        raise AssertionError(
            f"{subject}: who may export {sorted(wanted)} gets {sorted(found)} ({response.status_code})."
        )


def _listed(client: Any, url: str) -> list[_Row]:
    rows: list[_Row] = []
    following: str | None = f"{url}?limit=200"
    while following:
        page = client.get(following).json()
        rows += page["data"]
        following = page["next"]
    return rows


def _require_equal(
    subject: ResourceSubject, actor: Actor, name: str, content: bytes, listed: Sequence[_Row]
) -> None:
    if name == "jsonl":
        found: Any = [orjson.loads(line) for line in content.splitlines()]
        wanted: Any = list(listed)
    else:
        found = _cells_of_csv(content) if name == "csv" else _cells_of_xlsx(subject, content)
        fields = serializer_for(subject, actor).fields
        columns = [column_of(one, fields[one]) for one in found[0]]
        wanted = [found[0]]
        wanted += [[as_text(encode(row[one.name], one)) for one in columns] for row in listed]
        _require_neutral(subject, name, found, [one.kind for one in columns])
    if found != wanted:
        pairs = zip(found, wanted, strict=False)
        differing = next((pair for pair in pairs if pair[0] != pair[1]), (len(found), len(wanted)))
        raise AssertionError(
            f"{subject}: the export as {name} is not the list: {differing[0]}, not {differing[1]}."
        )


def _require_neutral(
    subject: ResourceSubject, name: str, found: Sequence[Sequence[str]], kinds: Sequence[str]
) -> None:
    for row in found[1:]:
        for cell, kind in zip(row, kinds, strict=True):
            number = kind in ("integer", "float", "decimal")
            if not number and not cell.startswith("'") and neutralise(cell) != cell:
                raise AssertionError(f"{subject}: the export as {name} has the formula {cell!r}.")


def _cells_of_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def _cells_of_xlsx(subject: ResourceSubject, content: bytes) -> list[list[str]]:
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    rows = []
    for row in sheet.iter_rows():
        if any(cell.data_type == "f" for cell in row):
            raise AssertionError(f"{subject}: the export as xlsx has a formula.")
        rows.append([_text_of(cell.value) for cell in row])
    return rows


def _text_of(value: Any) -> str:
    return unescape(value) if isinstance(value, str) else as_text(value)
