"""Route by version, the plugin's slug and the word after it: a look into a map, however many plugins and resources there are."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import ResolverMatch, URLPattern, URLResolver
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RoutePattern

_PREFIX_PARTS = 3
"""``api``, the version, and the slug."""


class PluginResolver(URLResolver):
    """Holds resolvers by their pattern, ``api/v<version>/<slug>/``, and asks only the one that the path begins with.

    Django tries the patterns of a list one after another, so the last plugin's requests would pay for all others. To
    everything else, such as ``reverse()`` and the OpenAPI description, this is an ordinary list of patterns.
    """

    def __init__(self, resolvers: Mapping[str, URLResolver]) -> None:
        super().__init__(RoutePattern(""), list(resolvers.values()))
        self._by_prefix = {prefix: (one, _by_word(one)) for prefix, one in resolvers.items()}

    def resolve(self, path: object) -> ResolverMatch:
        """Return the match of ``path``; raises Resolver404 for a slug, or version of it, that no enabled plugin has."""
        text = str(path)
        *first, rest = text.split("/", _PREFIX_PARTS)
        known = self._by_prefix.get("/".join([*first, ""]))
        if known is None:
            raise Resolver404({"tried": [], "path": text})
        found, by_word = known
        match = by_word.get(rest.partition("/")[0], found).resolve(text)
        match.route = (
            f"{found.pattern}{match.route.removeprefix('^')}"  # as a list of patterns would tell it
        )
        return match


def _by_word(resolver: URLResolver) -> dict[str, URLResolver]:
    """Return for each word that patterns of ``resolver`` begin with a resolver of those that can match it, in order.

    A pattern that does not begin with a plain word can match any.
    """
    words = [(_first_word(one), one) for one in resolver.url_patterns]
    return {
        word: URLResolver(
            resolver.pattern,
            [one for own, one in words if own in ("", word)],
            resolver.default_kwargs,
            resolver.app_name,
            resolver.namespace,
        )
        for word in dict.fromkeys(own for own, _ in words if own)
    }


def _first_word(pattern: URLPattern | URLResolver) -> str:
    """Return the plain word that a path has to begin with, up to its slash; empty when that cannot be told."""
    word, slash, _ = str(pattern.pattern).partition("/")
    plain = isinstance(pattern.pattern, RoutePattern) and slash and "<" not in word
    return word if plain else ""
