"""Read ``Course:title,starts_on:date,seats:int`` into a resource with typed fields."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from platform_core.cli._startplugin.names import NameRefused, check_field_name, check_model_name


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What a field type becomes: the model field with its arguments, lookups, and two values for tests."""

    model_field: str
    arguments: tuple[str, ...]
    lookups: tuple[str, ...]
    first: str
    second: str
    searched: bool = False
    ordered: bool = True


_RANGE = ("exact", "gte", "lte")
KINDS = {
    "str": FieldKind(
        "CharField", ("max_length=200",), ("exact",), '"First"', '"Second"', searched=True
    ),
    "text": FieldKind(
        "TextField", (), (), '"A first text."', '"A second text."', searched=True, ordered=False
    ),
    "int": FieldKind("IntegerField", (), _RANGE, "12", "24"),
    "decimal": FieldKind(
        "DecimalField", ("max_digits=12", "decimal_places=2"), _RANGE, '"12.50"', '"24.00"'
    ),
    "bool": FieldKind("BooleanField", ("default=False",), ("exact",), "False", "True"),
    "date": FieldKind("DateField", (), _RANGE, '"2026-09-01"', '"2026-10-01"'),
    "datetime": FieldKind(
        "DateTimeField", (), _RANGE, '"2026-09-01T08:00:00Z"', '"2026-10-01T08:00:00Z"'
    ),
    "email": FieldKind(
        "EmailField",
        (),
        ("exact",),
        '"first@example.org"',
        '"second@example.org"',
        searched=True,
    ),
    "url": FieldKind(
        "URLField", (), ("exact",), '"https://example.org/1"', '"https://example.org/2"'
    ),
}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a resource."""

    name: str
    kind: FieldKind

    @property
    def words(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """One model with its resource."""

    model: str
    fields: tuple[FieldSpec, ...]

    @property
    def snake(self) -> str:
        """The model's name in snake case: ``course_offering``."""
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.model)
        return spaced.lower()

    @property
    def words(self) -> str:
        """The model's name as people read it: ``course offering``."""
        return self.snake.replace("_", " ")

    @property
    def plural(self) -> str:
        """The plural of ``words``, by the common English rules."""
        return plural_of(self.words)

    @property
    def path(self) -> str:
        """The last part of the collection's URL: ``course-offerings``."""
        return self.plural.replace(" ", "-")

    @property
    def ordering(self) -> str:
        """The field that lists are ordered by."""
        return next((field.name for field in self.fields if field.kind.ordered), "created_at")


def plural_of(words: str) -> str:
    """Return the English plural of ``words`` by the common rules; irregular nouns are the author's to correct."""
    if re.search(r"[^aeiou]y\Z", words):
        return words[:-1] + "ies"
    if re.search(r"(s|x|z|ch|sh)\Z", words):
        return words + "es"
    return words + "s"


def parse_resource(text: str) -> ResourceSpec:
    """Parse ``Model:field,field:type``; a field without a type is a ``str``. Raises NameRefused."""
    model, found, rest = text.partition(":")
    model = model.strip()
    check_model_name(model)
    parts = [part.strip() for part in rest.split(",")]
    if not found or not all(parts):
        raise NameRefused(
            "resource_fields",
            f'The resource "{text}" names no field, or an empty one.',
            f"Write it as {model}:title,starts_on:date,seats:int.",
        )
    fields = tuple(_field(part, model) for part in parts)
    names = [field.name for field in fields]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise NameRefused(
            "field_repeated",
            f'{model} has the field "{repeated[0]}" twice.',
            "Name each field once.",
        )
    return ResourceSpec(model, fields)


def _field(part: str, model: str) -> FieldSpec:
    name, _, kind = (piece.strip() for piece in part.partition(":"))
    kind = kind or "str"
    check_field_name(name, model)
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        raise NameRefused(
            "field_type",
            f'The field "{name}" of {model} has the type "{kind}", which does not exist.',
            f"{hint}Types: {', '.join(KINDS)}.",
        )
    return FieldSpec(name, KINDS[kind])
