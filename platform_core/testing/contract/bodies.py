"""Request bodies that a resource should accept, taken from rows that were really made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from rest_framework import serializers

from platform_core.access import Actor
from platform_core.resource.field_access import FieldGate
from platform_core.resource.operations import operations_of
from platform_core.resource.rendering import dumps
from platform_core.testing.factories import make

if TYPE_CHECKING:
    from django.db.models import Model

    from platform_core.resource import Resource
    from platform_core.testing.contract.subjects import ResourceSubject

Body = dict[str, Any]


def serializer_for(subject: ResourceSubject, actor: Actor) -> Any:
    """Return the resource's serializer as a request of ``actor`` would have it."""
    return view_for(subject, actor).get_serializer()


def view_for(subject: ResourceSubject, actor: Actor) -> Resource:
    """Return the resource as a request of ``actor``, with the grants that they hold now, would have it."""
    view = subject.resource(slug=subject.slug)
    view.actor = Actor(actor.id, actor.kind, actor.label)
    view.request = view.format_kwarg = None  # type: ignore[assignment]  # there is none
    return view


def new_body(subject: ResourceSubject, actor: Actor, **fixed: Any) -> Body:
    """Return the body that creates a row like one that the factory makes; that row is gone again."""
    row = make(subject.model, **fixed)
    body = writable(subject, actor, row)
    remove(row)
    return body


def input_of(subject: ResourceSubject, verb: str) -> Body:
    """Return an input that the operation ``verb`` should take: each required field with a value of its type.

    Empty for what is no operation or takes no input.
    """
    operation = operations_of(subject.resource).get(verb)
    if operation is None or operation.serializer_class is None:
        return {}
    fields = getattr(operation.serializer_class(), "fields", {})
    return {
        name: next(value for kind, value in _INPUTS if isinstance(one, kind))
        for name, one in fields.items()
        if one.required
    }


_INPUTS: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], Any], ...] = (
    (serializers.DateTimeField, "2030-01-01T08:00:00Z"),
    (serializers.DateField, "2030-01-01"),
    (serializers.BooleanField, True),
    (serializers.IntegerField, 1),
    (serializers.EmailField, "someone@example.org"),
    (serializers.Field, "text"),
)


def remove(row: Model) -> None:
    """Remove ``row`` for good."""
    getattr(row, "hard_delete", row.delete)()


def writable(subject: ResourceSubject, actor: Actor, row: Model) -> Body:
    """Return the fields of ``row`` that a client may write, in their JSON form; empty references are left out."""
    found = {}
    for name, field in serializer_for(subject, actor).fields.items():
        if field.read_only:
            continue
        try:
            value = field.get_attribute(row)
        except AttributeError:
            continue  # a field of the request only, which the factory's row says nothing about
        if value is not None:
            found[name] = field.to_representation(value)
    body: Body = orjson.loads(dumps(found))
    return body


def shown(subject: ResourceSubject, actor: Actor, row: Model) -> Body:
    """Return ``row`` in JSON by serializer and rules in Python alone, from the database's state."""
    fresh = type(row)._base_manager.get(pk=row.pk)
    view = view_for(subject, actor)
    body: Body = orjson.loads(dumps(view.get_serializer().to_representation(fresh)))
    gate = FieldGate(view.accessible, view.actor, fresh)
    return {name: value for name, value in body.items() if gate.reads(name)}
