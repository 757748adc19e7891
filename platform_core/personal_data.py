"""Which columns hold personal data: what models declare, and what a column's name or type suggests.

Importing this touches no models, so that ``startplugin`` can ask about names before there are any.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Model

FREE_TEXT, ADDRESS = "TextField", ("EmailField", "GenericIPAddressField")
_ONE_WORD = frozenset(
    [
        "address",
        "avatar",
        "bio",
        "biography",
        "birth",
        "birthday",
        "birthdate",
        "city",
        "comment",
        "comments",
        "dob",
        "email",
        "emails",
        "ethnicity",
        "fax",
        "forename",
        "gender",
        "ip",
        "iban",
        "latitude",
        "longitude",
        "login",
        "mail",
        "mobile",
        "nationality",
        "note",
        "notes",
        "passport",
        "phone",
        "photo",
        "postcode",
        "religion",
        "remark",
        "remarks",
        "sex",
        "signature",
        "ssn",
        "street",
        "surname",
        "telephone",
        "username",
        "zip",
    ]
)
_NAMES_OF_PERSONS = frozenset(
    ("birth", "display", "family", "first", "full", "given", "last", "maiden", "middle", "nick")
)
_PAIRS = frozenset({("user", "agent"), ("postal", "code"), ("bank", "account")})


def is_suspected(name: str, kind: str) -> bool:
    """Tell whether a column suggests personal data by its name or by ``kind``, the name of its field class."""
    words = name.lower().split("_")
    pairs = set(pairwise(words))
    return (
        kind == FREE_TEXT
        or kind in ADDRESS
        or not _ONE_WORD.isdisjoint(words)
        or any(first in _NAMES_OF_PERSONS and second == "name" for first, second in pairs)
        or not _PAIRS.isdisjoint(pairs)
        or (
            name.lower().removesuffix("name") in _NAMES_OF_PERSONS and name.lower().endswith("name")
        )
    )


def declared(model: type[Model], attribute: str) -> tuple[str, ...]:
    """Return ``personal_fields`` or ``not_personal_fields`` of ``model``; any model may have them."""
    found: tuple[str, ...] = tuple(getattr(model, attribute, ()))
    return found


def personal_columns(models: Collection[type[Model]]) -> list[str]:
    """Return the columns declared personal as ``table.column``, by table; a table of history repeats its model's."""
    return sorted(
        f"{model._meta.db_table}.{model._meta.get_field(name).column}"  # type: ignore[union-attr]
        for model in models
        if model._meta.managed and not model._meta.proxy and not is_history(model)
        for name in declared(model, "personal_fields")
    )


def faults_of(model: type[Model]) -> Iterator[str]:
    """Yield what is wrong with the declaration of ``model``: a suspected column left out, or a name that misleads."""
    personal = declared(model, "personal_fields")
    harmless = declared(model, "not_personal_fields")
    columns = {field.name: field for field in model._meta.concrete_fields}
    label = model._meta.label
    yield from (
        f"{label} has no column {name}" for name in (*personal, *harmless) if name not in columns
    )
    yield from (f"{label}.{name} is declared both ways" for name in personal if name in harmless)
    for name, field in columns.items():
        if (
            name not in (*personal, *harmless)
            and _holds_words(field)
            and is_suspected(name, kind_of(field))
        ):
            yield f"{label}.{name}"


def kind_of(field: Any) -> str:
    """Return the name of Django's own class of ``field``, also for a subclass of it."""
    for cls in type(field).__mro__:
        if cls.__module__.startswith("django.db.models") and cls.__name__ != "Field":
            return str(cls.__name__)
    return type(field).__name__


def _holds_words(field: Any) -> bool:
    """Tell whether the column has a value of its own that is more than yes, no or one of a few choices."""
    return not field.is_relation and not field.choices and kind_of(field) != "BooleanField"


def is_history(model: type[Model]) -> bool:
    """Tell whether ``model`` is the table of another model's history."""
    return hasattr(model, "tracked_fields")
