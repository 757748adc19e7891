"""The whole document: every mounted operation as it answers, and the routes that describe themselves."""

from __future__ import annotations

from typing import Any

from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator

from platform_core.resource.base import Resource, plain_action
from platform_core.resource.bulk import BULK_PREFIX
from platform_core.resource.openapi.routes import described_routes, merge_descriptions


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


def _any_of(node: Any) -> Any:
    if isinstance(node, dict):
        return {("anyOf" if key == "oneOf" else key): _any_of(inner) for key, inner in node.items()}
    return [_any_of(inner) for inner in node] if isinstance(node, list) else node
