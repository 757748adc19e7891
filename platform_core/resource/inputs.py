"""The bodies of operations: what a plain serializer would pass over is refused by name, as in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.serializers import ListSerializer, Serializer

from platform_core.resource.problems import MOST_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.serializers import BaseSerializer


def validated(serializer: BaseSerializer[Any]) -> Mapping[str, Any]:
    """Return what ``serializer`` makes of its data; ``ValidationError`` names what it would pass over with all else."""
    ignored = passed_over(serializer, serializer.initial_data)
    if serializer.is_valid() and not ignored:
        return serializer.validated_data  # type: ignore[no-any-return]
    found: Any = serializer.errors
    raise ValidationError({**found, **ignored} if ignored else found)


def passed_over(serializer: Any, data: Any) -> dict[str, Any]:
    """Return a refusal for each name in ``data``, however deep, that ``serializer`` would pass over."""
    if not isinstance(serializer, Serializer) or not isinstance(data, dict):
        return {}
    refused: dict[str, Any] = {}
    for name, value in data.items():
        if len(refused) >= MOST_ERRORS:  # a body has room for a quarter of a million names
            break
        field = serializer.fields.get(name)
        if field is None:
            refused[name] = [ErrorDetail(str(_("There is no such field.")), "unknown_field")]
        elif field.read_only:
            refused[name] = [ErrorDetail(str(_("This field cannot be set.")), "read_only")]
        elif isinstance(field, ListSerializer) and isinstance(value, list):
            found = [passed_over(field.child, one) for one in value]
            refused |= {name: found} if any(found) else {}
        elif deeper := passed_over(field, value):
            refused[name] = deeper
    return refused


def refuse_body(body: Any) -> None:
    """Raise ``ValidationError`` for a body where none is taken."""
    if body:
        raise ValidationError(_("This operation takes no input."), code="unexpected_body")
