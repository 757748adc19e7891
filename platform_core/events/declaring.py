"""``Event``: what a plugin declares about something that has happened, and what is wrong with a declaration."""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from platform_core.personal_data import is_suspected

MOST_NAME = 150
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
_OWN_WORDS = frozenset({"name", "version", "aggregate"})
_SECRET = re.compile(r"password|passphrase|secret|token|credential|private_key|api_key")
_PLAIN = (str, bool, int, UUID, dt.datetime, dt.date, Decimal)
_KEYS = (UUID, str, int)


class Event(BaseModel):
    """Base of an event: a subclass has a docstring, a name, and its payload as typed fields.

    ``name`` is ``<slug>.<noun>.<past_verb>``. ``aggregate`` names the field that tells which thing it happened to;
    events of one noun and one thing reach every subscriber in the order in which they were committed. ``version`` goes
    up when a field changes its meaning or goes; ``upgrade`` then turns payloads that are still on the way into the
    present form. A payload is read by many and kept for a while: it holds ids, not secrets.
    ``external_fields`` names the fields that may leave the deployment by webhooks; without any, the event is told inside
    only. It is not inherited.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: ClassVar[str]
    version: ClassVar[int] = 1
    aggregate: ClassVar[str]
    external_fields: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Let nothing leave that the class itself does not say: a base speaks for itself only."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.external_fields = vars(cls).get("external_fields", ())

    @classmethod
    def upgrade(cls, payload: Mapping[str, Any], version: int) -> Mapping[str, Any]:
        """Return a payload of an earlier ``version`` in the present form; ValueError when that cannot be done."""
        raise ValueError(f"{cls.name} has version {cls.version} and cannot read version {version}.")

    @property
    def aggregate_key(self) -> str:
        """The thing that the event is about, in a form that is unique in the deployment."""
        return f"{self.name.rpartition('.')[0]}:{getattr(self, self.aggregate)}"


def faults_of(event: type[Event]) -> Iterator[str]:
    """Yield what is wrong with a declaration, each as the end of a sentence about it."""
    name = getattr(event, "name", "")
    if not _NAME.match(str(name)) or len(name) > MOST_NAME:
        yield "needs a name like billing.invoice.issued"
    if not (inspect.getdoc(event) or "").strip() or event.__doc__ is None:
        yield "has no docstring that says what has happened"
    if not isinstance(event.version, int) or event.version < 1:
        yield "needs a version that is 1 or more"
    fields = event.model_fields
    aggregate = getattr(event, "aggregate", "")
    if aggregate not in fields:
        yield "names as aggregate no field of its payload"
    elif fields[aggregate].annotation not in _KEYS:
        yield f"has the aggregate {aggregate}, which is neither a UUID nor a text nor a number"
    yield from _external_faults(event)
    for field, known in fields.items():
        if field in _OWN_WORDS:
            yield f"has a field {field}, which is a word of its own"
        if _SECRET.search(field):
            yield f"has a field {field}, which sounds like a secret"
        if not is_plain(known.annotation):
            yield f"has a field {field} whose type is not plain data"


def _external_faults(event: type[Event]) -> Iterator[str]:
    """Yield what is wrong with what may leave: whoever gets it knows people by ids and asks for the rest."""
    for name in event.external_fields:
        known = event.model_fields.get(name)
        if known is None:
            yield f"lets a field {name} leave the deployment that its payload does not have"
            continue
        for one in (name, *_names_within(known.annotation)):
            if is_suspected(one, ""):
                yield f"lets a field {one} leave the deployment, which sounds personal"


def _names_within(annotation: Any) -> Iterator[str]:
    """Yield the names of the fields of models in a type."""
    for one in get_args(annotation):
        yield from _names_within(one)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, known in annotation.model_fields.items():
            yield name
            yield from _names_within(known.annotation)


def is_plain(annotation: Any) -> bool:
    """Tell whether a type is plain data: texts, numbers, ids, dates, choices, lists of them, and models of them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return all(one is type(None) or is_plain(one) for one in arguments)
    if origin is Literal:
        return all(isinstance(one, (str, int)) for one in arguments)
    if origin in (list, tuple):
        return all(one is Ellipsis or is_plain(one) for one in arguments)
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, BaseModel):
        return all(is_plain(one.annotation) for one in annotation.model_fields.values())
    return annotation in _PLAIN or issubclass(annotation, enum.Enum)
