"""Writes that reach further than declared: every column of the model is posted to every write of its resource."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.db.models import Field

from platform_core.access import Actor
from platform_core.resource.rendering import dumps
from platform_core.testing.contract.bodies import Body, new_body, serializer_for, writable
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

    All columns are posted at once; those that the refusal does not name are posted again one by one.
    """
    with stage() as grants:
        actor = persona("holder", grants, subject)
        row = make(subject.model)
        columns = dict(_undeclared(subject, actor, row))
        for action in subject.actions():
            if action.reads or action.name == "destroy":
                continue
            with undone():
                _check_action(_Write(subject, actor, action, row), columns)


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

    def __init__(self, subject: ResourceSubject, actor: Actor, action: Action, row: Any) -> None:
        self.subject, self.actor, self.action, self.row = subject, actor, action, row
        self.body: Body = {}
        if action.name == "create":
            self.body = new_body(subject, actor)
        if action.name == "update":
            self.body = writable(subject, actor, row)
        if action.name == "restore":
            row.delete()
        self.usual = self.send({})[1]

    def send(self, extra: Mapping[str, Any]) -> tuple[Any, dict[str, Any] | None]:
        """Return the answer to the body with ``extra``, and the row as it then is, None when it was refused."""
        body = self.body | orjson.loads(dumps(dict(extra)))
        with undone():
            response = self.subject.ask(self.actor, self.action, self.row, body)
            if response.status_code >= 400:
                return response, None
            key = self.row.pk
            if self.action.name == "create":
                key = response.json()["id"]
            rows = self.subject.model._base_manager.filter(pk=key)
            return response, rows.values(*_attnames(self.subject)).first()


def _attnames(subject: ResourceSubject) -> list[str]:
    return [field.attname for field in subject.model._meta.concrete_fields]


def _check_action(write: _Write, columns: Mapping[str, tuple[Any, Any]]) -> None:
    if write.usual is None:
        return  # an operation that wants a body of its own; without one it writes nothing
    response, state = write.send({name: value for name, (_, value) in columns.items()})
    if state is not None:
        _require_unset(write, columns, state)
        return
    named = {one.get("pointer", "").strip("/") for one in response.json().get("errors", ())}
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
            f"{write.subject}: {write.action.name} sets {', '.join(reached)}, which its serializer does "
            "not declare writable."
        )
