"""OpenAPI 3.1 of resources: every operation as it answers, refusals included."""

from __future__ import annotations

from typing import Any

from django.urls import get_resolver
from django.utils.encoding import force_str
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from platform_core.api_versions import FIRST, in_names
from platform_core.resource.answers import (
    ALWAYS_POSSIBLE,
    BULK_REFUSALS,
    OPERATION_REFUSALS,
    PROBLEM_SCHEMA,
    READS,
    REFUSALS,
    STATUS_TITLES,
    history_entry,
    json_answer,
    page_of,
    page_parameters,
)
from platform_core.resource.base import Resource, plain_action
from platform_core.resource.bulk import BULK_PREFIX
from platform_core.resource.conventions import (
    ACCEPTED,
    DEPRECATION_HEADERS,
    DIFF_QUERY,
    DIFFERENCES,
    ETAG,
    ID_SCHEMAS,
    IF_NONE_MATCH,
    PREFER_ASYNC,
    VERSION_IN_PATH,
    Schema,
    bulk_request,
    bulk_response,
    ordering_pattern,
    query_parameter,
    shape_parameters,
    shaped,
    with_field_rules,
    write_parameters,
)
from platform_core.resource.declared import name_of
from platform_core.resource.deprecation import Deprecated, declared_of
from platform_core.resource.descriptions import described_routes, merge_descriptions
from platform_core.resource.exchange_descriptions import (
    export_answer,
    export_parameters,
    import_body,
    import_parameters,
    import_report,
)
from platform_core.resource.field_access import view_rules_of
from platform_core.resource.filters import build_filters
from platform_core.resource.operations import (
    DERIVED_ACTIONS,
    STANDARD_ACTIONS,
    Operation,
    operations_of,
)
from platform_core.resource.problems import PROBLEM_JSON
from platform_core.resource.rendering import JSON
from platform_core.resource.writes import ReasonSerializer


class PlatformSchemaGenerator(SchemaGenerator):
    """Walks the mounted URLs; makes a ``Resource`` know which of its actions is described."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        """Return the document, with ``anyOf`` where drf-spectacular says ``oneOf``.

        It tells a blank from an e-mail address by ``format``, which JSON Schema does not assert: both would hold.
        Routes that describe themselves are described too; raises ``TypeError`` as ``merge_descriptions``.
        """
        document = _any_of(super().get_schema(request, public))  # type: ignore[no-untyped-call]
        patterns = self.patterns or get_resolver(self.urlconf).url_patterns
        merge_descriptions(document, described_routes(patterns))
        return document

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        """Return the view that ``callback`` would run for ``method``."""
        if not issubclass(callback.cls, Resource):
            return super().create_view(callback, method, request)  # type: ignore[no-untyped-call]
        view: Any = callback.cls(**callback.initkwargs)
        view.action_map = callback.actions
        action = callback.actions[method.lower()]
        view.is_bulk = action.startswith(BULK_PREFIX)
        view.action = plain_action(action)
        view.request = view.format_kwarg = None
        view.args, view.kwargs = (), {}
        view.swagger_fake_view = True
        return view


class PlatformSchema(AutoSchema):
    """Describes a ``Resource`` as it answers; other views as drf-spectacular finds them."""

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

    def _path_parameters(self, resource: Resource) -> list[Schema]:
        parameters: list[Schema] = []
        if "{id}" in self.path:
            schema = ID_SCHEMAS[resource.id_converter]
            told = {"description": "Which object.", "schema": schema}
            parameters.append({"in": "path", "name": "id", "required": True, **told})
        if resource.parent is not None:
            below = {"description": "Below which object.", "name": resource.parent.parameter}
            key = {"type": "string", "format": "uuid"}
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

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        resource = self._resource
        if resource is None:
            bodies: Schema = super()._get_response_bodies(direction)
            return bodies
        shown = self.resolve_serializer(resource.serializer_class(), "response").ref
        responses = self._success(resource, shown)
        content = {PROBLEM_JSON: {"schema": self._problem()}}
        for status in sorted({*ALWAYS_POSSIBLE, *self._refusals(resource)}):
            responses[str(status)] = {"description": STATUS_TITLES[status], "content": content}
        return responses

    def _refusals(self, resource: Resource) -> tuple[int, ...]:
        below = () if resource.parent is None else (404,)
        if resource.is_bulk:
            return (*BULK_REFUSALS, *below)
        found = (*REFUSALS.get(self._action, OPERATION_REFUSALS), *below)
        return (*found, 428) if resource.requires_match and 412 in found else found

    def _success(self, resource: Resource, shown: Schema) -> Schema:
        if resource.is_bulk:
            return {
                "200": json_answer("A result for each item", bulk_response(shown, self._problem()))
            }
        if self._action == "export":
            return {"200": export_answer(), "202": self._accepted()}
        if self._action == "import":
            report = import_report(self._problem())
            where = {"Location": {"schema": {"type": "string", "format": "uri-reference"}}}
            started = json_answer("More than 500 rows: an operation was started", {}) | {
                "headers": where
            }
            return {"200": json_answer("What became of each row", report), "202": started}
        if self._action == "destroy":
            return {"204": {"description": "Deleted"}}
        if self._action == "list":
            return {"200": json_answer("One page", page_of(shaped(resource, shown, self.registry)))}
        if self._action == "history":
            return {"200": json_answer("One page, newest first", page_of(history_entry(resource)))}
        if self._action == "create":
            where = {"Location": {"schema": {"type": "string", "format": "uri-reference"}}}
            return {"201": json_answer("Created", shown) | {"headers": where | ETAG}}
        if self._action == "retrieve":
            found = json_answer("The object", shaped(resource, shown, self.registry)) | {
                "headers": ETAG
            }
            return {"200": found, "304": {"description": "Unchanged", "headers": ETAG}}
        if self._action == "diff":
            return {"200": json_answer("What differs", DIFFERENCES)}
        if self._action in STANDARD_ACTIONS | DERIVED_ACTIONS:
            return {"200": json_answer("The object", shown) | {"headers": ETAG}}
        found = {"200": json_answer("The object as it now is, or the operation's result", {})}
        if self._operation is not None and self._operation.background:
            found["202"] = self._accepted()
        return found

    def _accepted(self) -> Schema:
        from platform_core.operations.resources import OperationSerializer  # a resource itself

        shown = self.resolve_serializer(OperationSerializer(), "response").ref
        return json_answer("It goes on in the background", shown) | {"headers": ACCEPTED}

    def _problem(self) -> Schema:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Problem",
            type=ResolvedComponent.SCHEMA,
            object="platform_core.Problem",
            schema=PROBLEM_SCHEMA,
        )
        self.registry.register_on_missing(component)
        ref: Schema = component.ref
        return ref


def _shown(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "pattern"}


def _any_of(node: Any) -> Any:
    if isinstance(node, dict):
        return {("anyOf" if key == "oneOf" else key): _any_of(inner) for key, inner in node.items()}
    return [_any_of(inner) for inner in node] if isinstance(node, list) else node
