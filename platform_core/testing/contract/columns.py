"""Writes that reach further than declared: every column of the model is posted to every write of its resource."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.db.models import Field

from platform_core.access import Actor
from platform_core.resource.bulk import BULK_ACTIONS
from platform_core.resource.rendering import dumps
from platform_core.testing.actors import client_for
from platform_core.testing.contract.bodies import (
    Body,
    input_of,
    new_body,
    serializer_for,
    writable,
)
from platform_core.testing.contract.subjects import (
    Action,
    ResourceSubject,
    persona,
    stage,
    undone,
)
from platform_core.testing.factories import make
from platform_core.testing.values import NoValue, value_for

_FAR = 20_011
"""The number of a row that no test makes, so that values made from it are nobody's."""


def check_undeclared_columns(subject: ResourceSubject) -> None:
    """Assert that no write sets a column that the serializer does not declare writable.

    All columns are posted at once; those that the refusal does not name are posted again one by one. The writes are
    those of single rows and of bulk calls, operations and the way back to a version included.
    """
    with stage() as grants:
        actor = persona("holder", grants, subject)
        row = make(subject.model)
        columns = dict(_undeclared(subject, actor, row))
        for action in _writes(subject):
            for bulk in ("", *_bulk_verbs(action)):
                with undone():
                    _check_action(_Write(subject, actor, action, row, bulk), columns)


def _writes(subject: ResourceSubject) -> Iterator[Action]:
    yield from (one for one in subject.actions() if not one.reads and one.name != "destroy")
    if {"history", "partial_update"} <= set(subject.resource.actions):
        permission = subject.resource.policy.permission("change")
        yield Action("revert", "post", "history/1/restore/", permission)


def _bulk_verbs(action: Action) -> Iterator[str]:
    """Yield the last part of the address at which bulk calls run ``action``, if there is one."""
    if action.name in BULK_ACTIONS.values():
        yield next(verb for verb, name in BULK_ACTIONS.items() if name == action.name)
    elif action.name not in ("update", "revert"):
        yield action.suffix.strip("/")


def _undeclared(
    subject: ResourceSubject, actor: Actor, row: Any
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield each name that a client may try for a column, with the column's attribute and a value that it lacks."""
    fields = serializer_for(subject, actor).fields
    open_names = {name for name, field in fields.items() if not field.read_only}
    open_sources = {fields[name].source for name in open_names}
    for column in subject.model._meta.concrete_fields:
        if column.name in open_sources:
            continue
        try:
            value = another_value(column, getattr(row, column.attname))
        except NoValue:
            continue
        for name in {column.name, column.attname} - open_names:
            yield name, (column.attname, value)


def another_value(column: Field[Any, Any], present: Any) -> Any:
    """Return a value that fits ``column`` and is not ``present``; raises NoValue where none is known."""
    if column.is_relation:
        return make(column.related_model).pk  # type: ignore[arg-type]
    if column.primary_key:
        return uuid.uuid4()
    if column.choices:
        others = [value for value, _ in column.flatchoices if value not in (present, "", None)]
        if not others:
            raise NoValue(f"{column} has one choice only.")
        return others[0]
    return (not present) if isinstance(present, bool) else value_for(column, _FAR, 1)


class _Write:
    """One action that writes, asked with more columns each time and undone each time."""

    def __init__(
        self, subject: ResourceSubject, actor: Actor, action: Action, row: Any, bulk: str
    ) -> None:
        self.subject, self.actor, self.action, self.row = subject, actor, action, row
        self.bulk = bulk
        self.body: Body = input_of(subject, action.name)
        if action.name == "create":
            self.body = new_body(subject, actor)
        if action.name == "update":
            self.body = writable(subject, actor, row)
        if action.name == "restore":
            row.delete()
        self.usual = self.send({})[1]

    def send(self, extra: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Return what is answered to the body with ``extra``, and the row as it then is, None when it was refused."""
        body = self.body | orjson.loads(dumps(dict(extra)))
        with undone():
            status, told = self._ask(body)
            if status >= 400:
                return told, None
            key = self.row.pk
            if self.action.name == "create":
                key = told["id"]
            rows = self.subject.model._base_manager.filter(pk=key)
            return told, rows.values(*_attnames(self.subject)).first()

    def __str__(self) -> str:
        return f"bulk/{self.bulk}" if self.bulk else self.action.name

    def _ask(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of the answer, for a bulk call those of its one item."""
        if not self.bulk:
            response = self.subject.ask(self.actor, self.action, self.row, body)
            return response.status_code, response.json()
        item = dict(body)
        if self.action.name != "create":
            item |= {"id": str(self.row.pk)}
            version = getattr(self.row, "version", None)
            if self.subject.resource.requires_match:
                item |= {"if_match": f'"{version}"'}
        url = f"{self.subject.url}bulk/{self.bulk}/"
        response = client_for(self.actor).post(url, {"items": [item]})
        if response.status_code >= 400:
            return response.status_code, response.json()
        result = response.json()["results"][0]
        return result["status"], result.get("problem") or result.get("data") or {}


def _attnames(subject: ResourceSubject) -> list[str]:
    return [field.attname for field in subject.model._meta.concrete_fields]


def _check_action(write: _Write, columns: Mapping[str, tuple[Any, Any]]) -> None:
    if write.bulk and write.action.name != "create":
        columns = {name: one for name, one in columns.items() if name != "id"}  # it says which row
    if write.usual is None:
        return  # an operation that the row is not in the state for writes nothing
    told, state = write.send({name: value for name, (_, value) in columns.items()})
    if state is not None:
        _require_unset(write, columns, state)
        return
    named = {one.get("pointer", "").strip("/") for one in told.get("errors", ())}
    for name, (column, value) in columns.items():
        if name not in named:
            _, state = write.send({name: value})
            if state is not None:
                _require_unset(write, {name: (column, value)}, state)


def _require_unset(
    write: _Write, columns: Mapping[str, tuple[Any, Any]], state: Mapping[str, Any]
) -> None:
    usual = write.usual or {}
    reached = sorted(
        name
        for name, (column, value) in columns.items()
        if state[column] == value and usual[column] != value
    )
    if reached:
        raise AssertionError(
            f"{write.subject}: {write} sets {', '.join(reached)}, which its serializer does "
            "not declare writable."
        )
