"""Plugins' addresses are found by their slug, and everything else about them is as Django has it."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLResolver, include, path, re_path
from django.urls.resolvers import RegexPattern

from platform_core.prefix_routing import PluginResolver


def view(request: HttpRequest, **_: object) -> HttpResponse:
    return HttpResponse()


def resolver(*, by_slug: bool) -> URLResolver:
    plugins = {
        prefix: path(
            prefix,
            include(
                (
                    [
                        path("things/<int:id>/", view, name="thing"),
                        path("<slug:any>/parts/", view, name="any"),
                        path("ropes/", include([path("<int:id>/", view, name="rope")])),
                        re_path(r"^ropes/(?P<id>[a-z]+)/$", view, name="named"),
                        path("last", view, name="last"),
                    ],
                    namespace,
                )
            ),
        )
        for prefix, namespace in (
            ("api/v1/bells/", "bells"),
            ("api/v1/bell/", "bell"),
            ("api/v2/bells/", "bells-v2"),
            ("api/v1/towers/", "towers"),
        )
    }
    found = [PluginResolver(plugins)] if by_slug else list(plugins.values())
    return URLResolver(RegexPattern(r"^/"), [*found, path("api/v1/other/", view, name="other")])


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/bells/things/3/",
        "/api/v1/bells/things/parts/",
        "/api/v1/bells/other/parts/",
        "/api/v1/bells/ropes/7/",
        "/api/v1/bells/ropes/new/",
        "/api/v1/bells/last",
        "/api/v2/bells/things/3/",
        "/api/v2/bells/last",
        "/api/v1/other/",
    ],
)
def test_a_match_is_the_one_that_django_makes(address: str) -> None:
    ours, django = (resolver(by_slug=one).resolve(address) for one in (True, False))

    for attribute in ("func", "args", "kwargs", "url_name", "route", "namespaces", "app_names"):
        assert getattr(ours, attribute) == getattr(django, attribute)


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/bel/things/3/",
        "/api/v1/bells/",
        "/api/v1/bells",
        "/api/v2/towers/things/3/",
        "/api/v3/bells/things/3/",
        "/api/v1//",
        "/apixv1/bells/things/3/",
    ],
)
def test_what_no_plugin_has_is_not_found(address: str) -> None:
    with pytest.raises(Resolver404):
        resolver(by_slug=True).resolve(address)


def test_addresses_are_built_from_names() -> None:
    found = resolver(by_slug=True)

    assert set(found.namespace_dict) == {"bells", "bell", "bells-v2", "towers"}
    prefix, plugin = found.namespace_dict["towers"]
    assert f"{prefix}{plugin.reverse('thing', id=7)}" == "api/v1/towers/things/7/"
