"""What an operation takes: its parameters and its body."""

from __future__ import annotations

from typing import Any

from platform_core.resource.base import Resource
from platform_core.resource.field_access import view_rules_of
from platform_core.resource.filters import build_filters
from platform_core.resource.openapi.answers import READS, page_parameters
from platform_core.resource.openapi.conventions import (
    DIFF_QUERY,
    ID_SCHEMAS,
    IF_NONE_MATCH,
    PREFER_ASYNC,
    VERSION_IN_PATH,
    Schema,
    bulk_request,
    ordering_pattern,
    query_parameter,
    shape_parameters,
    write_parameters,
)
from platform_core.resource.openapi.exchange import (
    export_parameters,
    import_body,
    import_parameters,
)
from platform_core.resource.openapi.naming import NamedSchema
from platform_core.resource.rendering import JSON
from platform_core.resource.writes import ReasonSerializer


class RequestSchema(NamedSchema):
    """Says what the operations of a ``Resource`` take."""

    def _path_parameters(self, resource: Resource) -> list[Schema]:
        parameters: list[Schema] = []
        if "{id}" in self.path:
            schema = ID_SCHEMAS[resource.id_converter]
            told = {"description": "Which object.", "schema": schema}
            parameters.append({"in": "path", "name": "id", "required": True, **told})
        if resource.parent is not None:
            below = {"description": "Below which object.", "name": resource.parent.parameter}
            key = ID_SCHEMAS[resource.parent.resource.id_converter]
            parameters.append({"in": "path", "required": True, "schema": key, **below})
        if "{version}" in self.path:
            parameters.append(VERSION_IN_PATH)
        return parameters

    def _get_parameters(self) -> list[Schema]:
        resource = self._resource
        if resource is None:
            found: list[Schema] = super()._get_parameters()
            return found
        parameters = self._path_parameters(resource)
        if self._action == "diff":
            parameters += DIFF_QUERY
        if self._action in ("list", "history"):
            parameters += page_parameters()
        if self._action == "list":
            parameters += self._list_parameters(resource)
        if self._action in ("list", "retrieve"):
            parameters += shape_parameters(resource)
        if self._action == "export":
            parameters += self._list_parameters(resource)
            parameters += [shape_parameters(resource)[0], *export_parameters(), PREFER_ASYNC]
        if self._action == "import":
            parameters += import_parameters(resource)
        if self._action == "retrieve":
            parameters.append(IF_NONE_MATCH)
        if self._action not in READS:
            parameters += self._write_parameters(resource)
        going = self._going("parameter")
        return [
            {**one, **going[one["name"]].in_openapi()} if one["name"] in going else one
            for one in parameters
        ]

    def _write_parameters(self, resource: Resource) -> list[Schema]:
        found = write_parameters(resource, self.method, of_a_row="{id}" in self.path)
        operation = self._operation
        if operation is not None and operation.background and not resource.is_bulk:
            found.append(PREFER_ASYNC)
        return found

    def _list_parameters(self, resource: Resource) -> list[Schema]:
        schema: Schema = {
            "type": "string",
            "pattern": ordering_pattern(resource),
            "default": resource.ordering,
        }
        found = [
            query_parameter(
                "ordering", schema, "Fields by commas, descending with a leading minus."
            )
        ]
        if resource.search_fields:
            schema = {"type": "string", "maxLength": 200}
            found.append(query_parameter("search", schema, "Every word has to occur."))
        rules = view_rules_of(type(resource))
        for one in build_filters(resource.model, resource.filterset_fields).values():
            items = {"type": "boolean"} if one.lookup == "isnull" else self._filter_items(one)
            schema = {"type": "array", "items": items}
            told = "Repeat for alternatives."
            if any(one.rules(resource.model, rules)):
                told += " Unknown to whoever may not read the field; matches rows in which it is readable."
            found.append(
                query_parameter(one.parameter, schema, told) | {"style": "form", "explode": True}
            )
        return found

    def _filter_items(self, one: Any) -> Schema:
        field = one.model_field.target_field if one.model_field.is_relation else one.model_field
        mapped: Schema = self._map_model_field(field, "request")  # type: ignore[no-untyped-call]
        kept = ("type", "format", "enum")
        return {key: mapped[key] for key in kept if key in mapped} or {"type": "string"}

    def _get_request_body(self, direction: Any = "request") -> Schema | None:
        resource = self._resource
        if resource is None:
            body: Schema | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
            return body
        if resource.is_bulk:
            return self._bulk_body(resource)
        if self._action == "import":
            return import_body(resource)
        serializer = self._input_serializer(resource)
        if serializer is None:
            return None
        schema = self._input_schema(resource, serializer)
        given = {resource.parent.field} if resource.parent is not None else set()
        asked = {name for name, one in serializer.fields.items() if one.required}
        needed = not serializer.partial and bool(asked - given)
        return {"content": {JSON: {"schema": schema}}, "required": needed}

    def _bulk_body(self, resource: Resource) -> Schema:
        serializer = self._input_serializer(resource)
        item: Schema = {"type": "object"}
        if serializer is not None:
            item = self._input_schema(resource, serializer) or item
        return {
            "content": {JSON: {"schema": bulk_request(item, self._action, resource.id_converter)}},
            "required": True,
        }

    def _input_schema(self, resource: Resource, serializer: Any) -> Schema:
        """Return the schema of what is sent; below a parent its reference may be left out."""
        component = self.resolve_serializer(serializer, "request")
        if not component.schema:
            return {}
        parent = resource.parent
        if parent is None or parent.field not in component.schema.get("required", ()):
            return dict(component.ref)
        required = [one for one in component.schema["required"] if one != parent.field]
        return {**component.schema, "required": required}

    def _input_serializer(self, resource: Resource) -> Any:
        if self._action in ("create", "update"):
            return resource.serializer_class()
        if self._action == "partial_update":
            return resource.serializer_class(partial=True)
        if self._action == "revert":
            return ReasonSerializer()
        operation = self._operation
        if operation is None or operation.serializer_class is None:
            return None
        return operation.serializer_class()
