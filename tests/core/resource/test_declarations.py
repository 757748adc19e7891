"""A resource that is declared wrongly does not start, and the error names what to change."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from platform_core.access import FieldAccess, Never, Policy, Where
from platform_core.contributions import PUBLIC, SIGNED_IN, Route
from platform_core.resource import build_plugin_urls, operation
from tests.core.resource.testapp.resources import BookResource, BookSerializer, BranchResource

NOBODY = FieldAccess(view=Never())


class _Twice(BookSerializer):
    cost = serializers.DecimalField(source="price", max_digits=8, decimal_places=2)

    class Meta(BookSerializer.Meta):
        fields = (*BookSerializer.Meta.fields, "cost")


VIEW_ONLY = Policy(view="resource_testapp.view_book")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"policy": VIEW_ONLY}, "exposes '.*' without an access rule"),
        ({"policy": None}, "has no policy"),
        ({"policy": object()}, "policy is not a Policy"),
        ({"model": None}, "has no model"),
        ({"serializer_class": None}, "has no serializer_class"),
        ({"ordering": ""}, "declares no ordering"),
        ({"ordering": "title,shelf"}, "not a column of its own"),
        ({"ordering_fields": ("title", "nothing")}, "no field of the model"),
        ({"ordering": "shelf__name"}, "no field of the model"),
        ({"ordering": "shelf"}, "not a column of its own"),
        ({"search_fields": ("pages",)}, "no text field"),
        ({"search_fields": ("shelf__name",)}, "no text field"),
        ({"filterset_fields": {"nope": ["exact"]}}, "has no field 'nope'"),
        ({"filterset_fields": {"title__name": ["exact"]}}, "which is no relation"),
        ({"filterset_fields": {"pages": ["sounds_like"]}}, "no lookup 'sounds_like'"),
        ({"actions": ("list", "explode")}, "names explode"),
        ({"name": "Not Kebab"}, "kebab"),
        ({"field_rules": {"nope": NOBODY}}, "'nope' is no field"),
        ({"field_rules": {"price": Never()}}, "'price' has no FieldAccess"),
        ({"field_rules": {"id": NOBODY}}, "the id is in the address"),
        ({"field_rules": {"title": NOBODY}}, "the order that everybody gets is by 'title'"),
        ({"field_rules": {"price": FieldAccess(view=Where("owner", 1))}}, "has no field 'owner'"),
        ({"field_rules": {"price": NOBODY}, "serializer_class": _Twice}, "'cost' shows"),
    ],
)
def test_a_wrong_declaration_is_named(declared: dict[str, Any], message: str) -> None:
    resource = type("WrongResource", (BookResource,), declared)
    with pytest.raises(TypeError, match=rf"WrongResource.*{message}"):
        build_plugin_urls("resource_testapp", [resource])


def test_an_operation_without_a_permission_does_not_start() -> None:
    class Extended(BranchResource):
        @operation(verb="burn")
        def burn(self, branch: Any, data: Any) -> None:
            """Burn it."""

    with pytest.raises(TypeError, match=r"Extended exposes 'burn' without an access rule"):
        build_plugin_urls("resource_testapp", [Extended])


def test_fewer_actions_need_fewer_permissions() -> None:
    reading = type(
        "Reading",
        (BranchResource,),
        {"policy": VIEW_ONLY, "actions": ("list", "retrieve"), "name": "reading"},
    )
    names = [one.name for one in build_plugin_urls("resource_testapp", [reading])]  # type: ignore[union-attr]
    assert names == ["reading-list", "reading-detail"]


@pytest.mark.parametrize("verb", ["list", "Lend", "take-back", ""])
def test_an_operation_has_a_word_of_its_own(verb: str) -> None:
    with pytest.raises(ValueError, match="cannot name an operation"):
        operation(verb=verb)


@pytest.mark.parametrize(
    "route",
    [
        Route(path="x/", name="x", access="", view=print),
        Route(path="x/", name="x", access=PUBLIC),
        Route(path="x/", name="x", access=SIGNED_IN, urlconf="tests.core.resource.testapp.urls"),
        Route(path="x/", name="x", access=PUBLIC, urlconf="a.urls", flag="resource_testapp.x"),
    ],
)
def test_a_route_that_nobody_guards_does_not_start(route: Route) -> None:
    with pytest.raises(TypeError, match=r"resource_testapp: the route 'x/'"):
        build_plugin_urls("resource_testapp", [], [route])


def test_the_name_is_the_plural_in_kebab_case() -> None:
    patterns = build_plugin_urls("resource_testapp", [BranchResource])
    assert str(patterns[0].pattern) == "branches/"
