"""Route by the plugin's slug: one look into a map, however many plugins a deployment has."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import ResolverMatch, URLResolver
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RoutePattern

from platform_core.plugin import API_PREFIX


class PluginResolver(URLResolver):
    """Holds the resolver of each plugin, whose pattern is ``api/v1/<slug>/``, and asks only the one of the path's slug.

    Django tries the patterns of a list one after another, so the last plugin's requests would pay for all others. To
    everything else, such as ``reverse()`` and the OpenAPI description, this is an ordinary list of patterns.
    """

    def __init__(self, resolvers: Mapping[str, URLResolver]) -> None:
        super().__init__(RoutePattern(""), list(resolvers.values()))
        self._by_slug = dict(resolvers)

    def resolve(self, path: object) -> ResolverMatch:
        """Return the match of ``path``; raises Resolver404 for a slug that no enabled plugin has."""
        text = str(path)
        slug = text[len(API_PREFIX) :].partition("/")[0]
        found = self._by_slug.get(slug) if text.startswith(API_PREFIX) else None
        if found is None:
            raise Resolver404({"tried": [], "path": text})
        match = found.resolve(text)
        match.route = f"{found.pattern}{match.route}"  # as a list of patterns would tell it
        return match
