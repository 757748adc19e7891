"""What the OpenAPI document says of a plugin: every operation, parameter, property and refusal in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from platform_core.api_versions import split_address
from platform_core.resource.operations import operations_of
from platform_core.testing.contract.subjects import PluginSubject

Node = Mapping[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch")
_REF = re.compile(r"#/components/(\w+)/([^/]+)\Z")
_TYPED = frozenset({"type", "enum", "const", "anyOf", "allOf", "oneOf", "$ref"})


def check_documented(plugin: PluginSubject, document: Node) -> None:
    """Assert that the plugin's part of the OpenAPI ``document`` explains itself.

    Each resource and each operation of its own has a docstring; each described operation has a summary or description,
    and so has each of its parameters and answers; each property of a resource's body has a type and a title. What a
    route's own description says of its bodies is left to it.
    """
    faults = [*_silent_code(plugin), *_silent_operations(plugin, document)]
    addresses = [subject.url for subject in plugin.resources]
    bodies = {
        path: item
        for path, item in document["paths"].items()
        if any(path.startswith(address) for address in addresses)
    }
    for name, schema in _reached(bodies, document).items():
        faults += _silent_properties(name, schema)
    if faults:
        raise AssertionError("\n".join(faults))


def _silent_code(plugin: PluginSubject) -> Iterator[str]:
    for subject in plugin.resources:
        if not vars(subject.resource).get("__doc__"):
            yield f"{subject.resource.__name__} has no docstring of its own."
        for operation in operations_of(subject.resource).values():
            if not getattr(subject.resource, operation.method).__doc__:
                yield f"{subject.resource.__name__}.{operation.method} has no docstring."


def _silent_operations(plugin: PluginSubject, document: Node) -> Iterator[str]:
    for path, item in document["paths"].items():
        if (split_address(path) or ("", ""))[1] != plugin.slug:
            continue
        common = item.get("parameters", [])
        for method in (one for one in _METHODS if one in item):
            operation, where = item[method], f"{method.upper()} {path}"
            if not (operation.get("summary") or operation.get("description")):
                yield f"{where} says nothing about itself."
            for one in (*common, *operation.get("parameters", ())):
                parameter = _resolved(one, document)
                if not parameter.get("description"):
                    yield f"{where}: the parameter {parameter['name']} says nothing about itself."
            yield from _silent_answers(where, operation, document)


def _silent_answers(where: str, operation: Node, document: Node) -> Iterator[str]:
    answers = {status: _resolved(one, document) for status, one in operation["responses"].items()}
    for status, answer in answers.items():
        if not answer.get("description"):
            yield f"{where}: the answer {status} says nothing about itself."
    if operation.get("security") and {} not in operation["security"] and "401" not in answers:
        yield f"{where} needs somebody to be signed in, and does not describe 401."


def _resolved(node: Node, document: Node) -> Node:
    found = _REF.match(node.get("$ref", ""))
    if found is None:
        return node
    target: Node = document["components"][found[1]][found[2]]
    return target


def _reached(node: Any, document: Node, found: dict[str, Node] | None = None) -> dict[str, Node]:
    """Return the schemas that ``node`` refers to, directly or through others, by name."""
    found = {} if found is None else found
    if isinstance(node, list | tuple):
        for inner in node:
            _reached(inner, document, found)
    elif isinstance(node, Mapping):
        target = node.get("$ref")
        match = _REF.match(target) if isinstance(target, str) else None
        if match is not None and match[1] == "schemas" and match[2] not in found:
            found[match[2]] = document["components"]["schemas"][match[2]]
            _reached(found[match[2]], document, found)
        for inner in node.values():
            _reached(inner, document, found)
    return found


def _silent_properties(name: str, schema: Node) -> Iterator[str]:
    for key, value in schema.get("properties", {}).items():
        if not _TYPED & value.keys():
            yield f"{name}.{key} has no type."
        if not value.get("title") and not value.get("description") and "$ref" not in value:
            yield f"{name}.{key} has neither title nor description."
