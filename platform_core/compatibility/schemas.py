"""Compare two JSON Schemas by who sends what they describe: the client's may only widen, the server's only narrow."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from platform_core.compatibility.changes import Change, adds, breaks, removal

Schema = Mapping[str, Any]
Direction = Literal["request", "response"]

TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "multipleOf", "const", "uniqueItems")


@dataclass(frozen=True)
class Comparison:
    """Two documents, whose references are followed, and the side that sends."""

    old: Schema
    new: Schema
    direction: Direction
    today: datetime.date
    _open: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def schemas(self, old: Any, new: Any, where: str) -> Iterator[Change]:
        """Yield in what the schema ``new`` differs from ``old``."""
        pair = (id(old), id(new))
        if pair not in self._open:  # else it is a schema that holds itself
            yield from replace(self, _open=self._open | {pair})._plain(old, new, where)

    def _plain(self, old: Any, new: Any, where: str) -> Iterator[Change]:
        before, after = alternatives(old, self.old), alternatives(new, self.new)
        if len(before) == len(after) == 1:
            yield from self._single(before[0], after[0], where)
            return
        # What is sent may be any of the sender's; each has to fit one that the receiver knows.
        request = self.direction == "request"
        sent, known = (before, after) if request else (after, before)
        for one in sent:
            tried = [
                [*self._single(*((one, other) if request else (other, one)), where)]
                for other in known
            ]
            best = min(tried, key=_cost)
            yield from best

    def _single(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        if self.direction == "request":
            yield from self._narrowed(old, new, where)
        else:
            yield from self._widened(old, new, where)
        if "items" in old or "items" in new:
            yield from self.schemas(old.get("items", {}), new.get("items", {}), f"{where}[]")
        yield from self._properties(old, new, where)

    def _narrowed(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        """Yield why the server refuses what it took before."""
        lost = types_of(old) - types_of(new)
        if lost - ({"integer"} if "number" in types_of(new) else set()):
            yield breaks("type_narrowed", where, f"It takes no {_listed(lost)} any more.")
        if "enum" in new:
            if "enum" not in old:
                yield breaks("enum_narrowed", where, "It takes certain values only.")
            elif missing := [one for one in old["enum"] if one not in new["enum"]]:
                yield breaks(
                    "enum_narrowed", where, f"It does not take {_listed(missing)} any more."
                )
        for name in _LOWER:
            if name in new and (name not in old or new[name] > old[name]):
                yield breaks("bound_narrowed", where, f"{name} is {new[name]} now.")
        for name in _UPPER:
            if name in new and (name not in old or new[name] < old[name]):
                yield breaks("bound_narrowed", where, f"{name} is {new[name]} now.")
        for name in _EXACT:
            if name in new and new[name] != old.get(name):
                yield breaks("bound_narrowed", where, f"{name} is {new[name]} now.")
        if (
            new.get("additionalProperties") is False
            and old.get("additionalProperties") is not False
        ):
            yield breaks("bound_narrowed", where, "It takes no other properties any more.")

    def _widened(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        """Yield what a client may get now that it could not get before."""
        more = types_of(new) - types_of(old)
        if more - ({"integer"} if "number" in types_of(old) else set()):
            yield breaks("type_changed", where, f"It may be {_listed(more)} now.")
        if old.get("format") and old["format"] != new.get("format"):
            yield breaks("type_changed", where, f"Its format is not {old['format']} any more.")
        if "enum" in old and "enum" in new:
            more_values = [one for one in new["enum"] if one not in old["enum"]]
            if more_values:
                yield adds("enum_widened", where, f"It may be {_listed(more_values)} too.")

    def _properties(self, old: Schema, new: Schema, where: str) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required_before = set(old.get("required", ()))
        required_after = set(new.get("required", ()))
        for name, schema in before.items():
            inner = f"{where}.{name}"
            if name in after:
                yield from self.schemas(schema, after[name], inner)
            elif not _is_open(new):
                known = resolved(schema, self.old)
                yield removal("property_removed", inner, "The property", known, self.today)
        for name in after.keys() - before.keys():
            if self.direction == "response" or name not in required_after:
                yield adds("property_added", f"{where}.{name}", "The property is new.")
        if self.direction == "request":
            for name in sorted(required_after - required_before):
                yield breaks("property_required", f"{where}.{name}", "It has to be sent now.")
        else:
            for name in sorted((required_before - required_after) & after.keys()):
                yield breaks("property_optional", f"{where}.{name}", "It may be missing now.")


def types_of(schema: Schema) -> frozenset[str]:
    """Return the types that ``schema`` allows; all of them where it names none."""
    found = schema.get("type")
    if found is None:
        if "properties" in schema:
            return frozenset({"object"})
        if "enum" in schema and all(isinstance(one, str) for one in schema["enum"]):
            return frozenset({"string"})
        return TYPES
    return frozenset([found] if isinstance(found, str) else found)


def resolved(schema: Any, document: Schema) -> Schema:
    """Return what ``schema`` refers to in ``document``, and all parts of an ``allOf`` as one; boolean schemas too."""
    if not isinstance(schema, Mapping):
        return {} if schema else {"not": {}}
    reference = _reference(schema)
    if reference:
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {})
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**resolved(target, document), **beside}
    if "allOf" not in schema:
        return schema
    whole: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    properties: dict[str, Any] = dict(whole.get("properties", {}))
    required = set(whole.get("required", ()))
    for one in schema["allOf"]:
        piece = resolved(one, document)
        properties |= piece.get("properties", {})
        required |= set(piece.get("required", ()))
        whole = {**piece, **whole}
    return {**whole, "properties": properties, "required": sorted(required)}


def alternatives(schema: Any, document: Schema) -> Sequence[Schema]:
    """Return the schemas of which one has to hold."""
    plain = resolved(schema, document)
    for name in ("anyOf", "oneOf"):
        if name in plain:
            shared = {key: value for key, value in plain.items() if key != name}
            return [
                {**shared, **one} for each in plain[name] for one in alternatives(each, document)
            ] or [shared]
    return [plain]


def _cost(changes: Sequence[Change]) -> tuple[int, int]:
    """Return how far apart two schemas are: what breaks counts first."""
    return sum(one.breaking for one in changes), len(changes)


def _reference(schema: Any) -> str:
    return str(schema.get("$ref", "")) if isinstance(schema, Mapping) else ""


def _is_open(schema: Schema) -> bool:
    """Tell whether anything may be in the place of what was described: then nothing is known to be gone."""
    return not schema.get("properties") and not schema.get("type") and "enum" not in schema


def _listed(values: Any) -> str:
    return ", ".join(sorted(map(str, values)))
