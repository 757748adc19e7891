"""Compare two OpenAPI documents: what a client of the old one would miss, be refused, or not understand."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any

from platform_core.compatibility.changes import Change, adds, breaks, ordered, removal
from platform_core.compatibility.schemas import Comparison, Schema, resolved

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{[^}]*\}")


def compare(old: Schema, new: Schema, *, today: datetime.date | None = None) -> list[Change]:
    """Return in what the API ``new`` differs from ``old``, what breaks first.

    What the old document declares as deprecated may go once its sunset is before ``today``. A new version beside the
    old one is an addition: its addresses are new.
    """
    day = today or datetime.datetime.now(datetime.UTC).date()
    return ordered(_compare(old, new, day))


def _compare(old: Schema, new: Schema, today: datetime.date) -> Iterator[Change]:
    before, after = _operations(old), _operations(new)
    for key, (where, operation) in before.items():
        if key not in after:
            yield removal("operation_removed", where, "The operation", operation, today)
        else:
            yield from _Operations(old, new, where, today).differences(operation, after[key][1])
    for key in after.keys() - before.keys():
        yield adds("operation_added", after[key][0], "The operation is new.")


def _operations(document: Schema) -> dict[tuple[str, str], tuple[str, Schema]]:
    """Return the operations by address, whatever its parameters are called, and method."""
    found: dict[tuple[str, str], tuple[str, Schema]] = {}
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                shared = item.get("parameters", [])
                operation = {**item[method]}
                operation["parameters"] = [*shared, *operation.get("parameters", [])]
                where = f"{method.upper()} {path}"
                found[_PARAMETER.sub("{}", path), method] = (where, operation)
    return found


class _Operations:
    """Two states of one operation."""

    def __init__(self, old: Schema, new: Schema, where: str, today: datetime.date) -> None:
        self.old = old
        self.new = new
        self.where = where
        self.sent = Comparison(old, new, "request", today)
        self.answered = Comparison(old, new, "response", today)

    def differences(self, old: Schema, new: Schema) -> Iterator[Change]:
        """Yield in what they differ."""
        if old.get("operationId") != new.get("operationId"):
            yield breaks("operation_renamed", self.where, f"It is {new.get('operationId')} now.")
        if new.get("deprecated") and not old.get("deprecated"):
            yield adds("operation_deprecated", self.where, "It is deprecated.")
        anonymous = [{} in (one.get("security") or [{}]) for one in (old, new)]
        if anonymous == [True, False]:
            yield breaks("security_added", self.where, "Somebody has to be signed in now.")
        yield from self._parameters(old, new)
        yield from self._bodies(old, new)
        yield from self._responses(old, new)

    def _parameters(self, old: Schema, new: Schema) -> Iterator[Change]:
        before, after = _parameters(old, self.old), _parameters(new, self.new)
        for key, parameter in before.items():
            where = f"{self.where} {key[0]} {key[1]}"
            if key not in after:
                yield removal(
                    "parameter_removed", where, "The parameter", parameter, self.sent.today
                )
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield breaks("parameter_required", where, "It has to be sent now.")
            before_schema, after_schema = parameter.get("schema", {}), after[key].get("schema", {})
            yield from self.sent.schemas(before_schema, after_schema, where)
        for key in after.keys() - before.keys():
            where = f"{self.where} {key[0]} {key[1]}"
            if after[key].get("required"):
                yield breaks("parameter_required", where, "It is new, and has to be sent.")
            else:
                yield adds("parameter_added", where, "The parameter is new.")

    def _bodies(self, old: Schema, new: Schema) -> Iterator[Change]:
        before = resolved(old.get("requestBody", {}), self.old)
        after = resolved(new.get("requestBody", {}), self.new)
        where = f"{self.where} body"
        if after.get("required") and not before.get("required"):
            yield breaks("body_required", where, "A body has to be sent now.")
        if before and not after:
            yield breaks("body_removed", where, "It takes no body any more.")
        elif before:
            yield from self._contents(self.sent, before, after, where)

    def _responses(self, old: Schema, new: Schema) -> Iterator[Change]:
        before, after = old.get("responses", {}), new.get("responses", {})
        for status, answer in before.items():
            where = f"{self.where} {status}"
            if status not in after:
                yield breaks("status_removed", where, "It is not answered any more.")
                continue
            known, now = resolved(answer, self.old), resolved(after[status], self.new)
            for name in known.get("headers", {}).keys() - now.get("headers", {}).keys():
                yield breaks("header_removed", f"{where} {name}", "The header is gone.")
            yield from self._contents(self.answered, known, now, where)
        for status in after.keys() - before.keys():
            where = f"{self.where} {status}"
            if status.startswith("2"):
                yield breaks("status_added", where, "It is a success that no client knows.")
            else:
                yield adds("status_added", where, "It may be answered too.")

    def _contents(
        self, comparison: Comparison, old: Schema, new: Schema, where: str
    ) -> Iterator[Change]:
        before, after = old.get("content", {}), new.get("content", {})
        for kind, content in before.items():
            if kind not in after:
                yield breaks("media_type_removed", where, f"It is not {kind} any more.")
                continue
            yield from comparison.schemas(
                content.get("schema", {}), after[kind].get("schema", {}), where
            )


def _parameters(operation: Schema, document: Schema) -> Mapping[tuple[str, str], Any]:
    """Return the parameters by place and name; those of the path by their order, for a client does not name them."""
    found: dict[tuple[str, str], Any] = {}
    of_path = 0
    for one in operation.get("parameters", ()):
        parameter = resolved(one, document)
        name = str(parameter["name"])
        if parameter["in"] == "path":
            of_path += 1
            name = str(of_path)
        elif parameter["in"] == "header":
            name = name.lower()
        found[str(parameter["in"]), name] = parameter
    return found
