"""What an operation and its components are called, what is said about them, and which are deprecated."""

from __future__ import annotations

from typing import Any

from django.utils.encoding import force_str
from drf_spectacular.openapi import AutoSchema

from platform_core.api_versions import FIRST, in_names
from platform_core.resource.base import Resource
from platform_core.resource.declared import name_of
from platform_core.resource.deprecation import Deprecated, declared_of
from platform_core.resource.openapi.conventions import (
    DEPRECATION_HEADERS,
    Schema,
    with_field_rules,
)
from platform_core.resource.operations import Operation, operations_of


class NamedSchema(AutoSchema):
    """Says what the operations of a ``Resource`` and the parts of its bodies are called, and what of them goes away."""

    @property
    def _action(self) -> str:
        return str(getattr(self.view, "action", ""))

    @property
    def _resource(self) -> Resource | None:
        return self.view if isinstance(self.view, Resource) else None

    @property
    def _operation(self) -> Operation | None:
        view: Any = type(self.view)
        return operations_of(view).get(self._action)

    def get_operation_id(self) -> str:
        """Return ``<slug>_<name>_<action>``, with ``v2`` after the slug in a second version."""
        if self._resource is None:
            return super().get_operation_id()
        name = name_of(type(self._resource)).replace("-", "_")
        if self._resource.parent is not None:
            name = f"{name_of(self._resource.parent.resource).replace('-', '_')}_{name}"
        bulk = "bulk_" if self._resource.is_bulk else ""
        version = in_names(self._resource.api_version)
        first = "_".join(filter(None, (self._resource.slug, version)))
        return f"{first}_{name}_{bulk}{self._action}"

    def _going(self, kind: str) -> dict[str, Deprecated]:
        resource = self._resource
        declared = {} if resource is None else declared_of(type(resource))
        parts = {what.partition(" "): one for what, one in declared.items()}
        return {name: one for (of, _, name), one in parts.items() if of == kind}

    @property
    def _deprecated(self) -> Deprecated | None:
        """Return what is said about the operation: of its own before that of the whole resource."""
        return self._going("action").get(self._action) or self._going("resource").get("")

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation, marked and with the headers that say so when it is deprecated."""
        found: Any = super().get_operation(*args, **kwargs)
        going = self._deprecated
        if found is None or going is None:
            return found
        headers = {name: DEPRECATION_HEADERS[name] for name in ("Deprecation",)}
        if going.sunset is not None:
            headers["Sunset"] = DEPRECATION_HEADERS["Sunset"]
        for answer in found["responses"].values():
            answer["headers"] = {**answer.get("headers", {}), **headers}
        described = going.described(found.get("description", ""))
        return {**found, "description": described, **going.in_openapi()}

    def get_tags(self) -> list[str]:
        """Return the plugin's slug."""
        slug = getattr(self.view, "slug", "")
        return [slug] if slug else super().get_tags()

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular does
        """Return the action's own docstring, or the resource's."""
        resource = self._resource
        if resource is None:
            return super().get_description()
        operation = self._operation
        name = "import_rows" if self._action == "import" else self._action
        method = getattr(resource, operation.method if operation else name)
        return (
            force_str(method.__doc__ or type(resource).__doc__ or "").strip().partition("\n\n")[0]
        )

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """Return the component's name, led by slug and version: two plugins, or versions, may call their things alike."""
        name = super().get_serializer_name(serializer, direction)
        slug = getattr(self.view, "slug", "")
        version = in_names(getattr(self.view, "api_version", FIRST)).title()
        return "".join(part.title() for part in slug.split("_")) + version + name

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Schema:
        """Return a body's schema; what is shown need not match the pattern that input has to."""
        schema: Schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        for name, one in self._going("field").items():
            if name in schema.get("properties", {}):
                schema["properties"][name] = {**schema["properties"][name], **one.in_openapi()}
        if direction == "response":
            properties = schema.get("properties", {})
            schema["properties"] = {name: _shown(one) for name, one in properties.items()}
        return with_field_rules(schema, type(serializer), direction)

    def _get_serializer_field_meta(self, field: Any, direction: Any) -> Schema:
        """Return what is said about a property; its title is the field's label, also where that repeats the name."""
        meta: Schema = super()._get_serializer_field_meta(field, direction)  # type: ignore[no-untyped-call]
        return {"title": str(field.label), **meta} if field.label else meta


def _shown(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "pattern"}
