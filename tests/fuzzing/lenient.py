"""Wrong input that a 2xx does not accept, or that ADR 0035 lets pass: items of a bulk call, and scalars that stand for others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from rest_framework.fields import BooleanField
from schemathesis.core.parameters import ParameterLocation

_TRUTHS = BooleanField.TRUE_VALUES | BooleanField.FALSE_VALUES


def refuses_an_item(case: Any, response: Any) -> bool:
    """Tell whether ``response`` is that of a bulk call that has refused one of its items, each with a status of its own."""
    return "/bulk/" in case.operation.path and response.json()["failed"] > 0


def is_read_leniently(case: Any, document: Mapping[str, Any]) -> bool:
    """Tell whether all that is wrong with ``case`` are scalars of a JSON body that stand for the ones described."""
    meta = case.meta
    wrong = [one for one in ParameterLocation if meta is not None and meta.is_negative_at(one)]
    if wrong != [ParameterLocation.BODY] or case.media_type != "application/json":
        return False
    operation = document["paths"][case.operation.path][case.operation.method.lower()]
    schema = operation["requestBody"]["content"][case.media_type]["schema"]
    whole = {"allOf": [schema], "components": document["components"]}
    return bool(_Lenient(whole).is_valid(case.body))


def _type(validator: Any, kinds: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(validator.is_type(instance, kind) or _stands_for(kind, instance) for kind in kinds):
        yield ValidationError(f"{instance!r} stands for nothing of type {kinds}")


def _stands_for(kind: str, value: Any) -> bool:
    """Tell whether the scalar ``value`` is read as one of the type ``kind``."""
    if not isinstance(value, str | int | float):
        return False
    if kind == "boolean":
        return value in _TRUTHS
    if isinstance(value, bool):
        return False
    if kind == "string":
        return True
    if kind not in ("integer", "number"):
        return False
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return False
    return number.is_integer() if kind == "integer" else math.isfinite(number)


_Lenient = extend(Draft202012Validator, {"type": _type})
