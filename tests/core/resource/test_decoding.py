"""Bodies that are decoded without a serializer come to what the serializer would make of them, or go to it."""

from __future__ import annotations

import json
import random
import uuid
from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from platform_core.access import Actor
from platform_core.resource import ModelSerializer, declared
from platform_core.resource.decoding import decoder_of
from tests.core.resource.conftest import ApiClient, Library, codes
from tests.core.resource.testapp.models import Book
from tests.core.resource.testapp.resources import (
    BookSerializer,
    MemberResource,
    SampleResource,
    SampleSerializer,
)

pytestmark = pytest.mark.django_db

RIGHT: dict[str, list[Any]] = {
    "text": ["a", " a ", "é😀", "", "x" * 3000],
    "slug": ["a-b", ""],
    "email": ["a@example.org", " a@example.org "],
    "url": ["https://example.org/?a=1"],
    "number": [-5, "7", None, 1.0],
    "big": [2**62, None],
    "ratio": [0.5, "0.25", 3],
    "price": ["1.50", 2, None],
    "yes": [True, "true", 0, None],
    "day": ["2024-02-29"],
    "moment": ["2024-02-29T23:59:59+02:00", "2024-02-29T23:59:59Z"],
    "time": ["01:02:03"],
    "span": ["1 00:00:02", 5],
    "address": ["2001:db8::1", "10.0.0.1"],
    "key": [str(uuid.UUID(int=7))],
    "data": [{"a": [1, None]}, [], "text", None],
    "grade": [1, "2", None],
}
ODD: list[Any] = [
    *(None, "", " ", "a\x00b", "\ud800", -1, 2**70, 1e400, True, [], [1], {}, {"a": 1}),
    *("a" * 300, "not-a-date", "2024-13-01", "NaN", "é", "<b>", " x"),
]


def by_serializer(serializer_class: type[Any], body: Any, who: Actor) -> Any:
    """Return what the serializer makes of a body, or None when it refuses."""
    serializer = serializer_class(data=body, context={"actor": who})
    return dict(serializer.validated_data) if serializer.is_valid() else None


def actor_of(client: ApiClient) -> Actor:
    return Actor(client.id, "user")


@pytest.mark.parametrize("seed", range(8))
def test_a_decoded_body_is_what_the_serializer_makes_of_it(
    librarian: ApiClient, library: Library, seed: int
) -> None:
    chance = random.Random(seed)
    who, decoder = actor_of(librarian), decoder_of(SampleSerializer)
    assert decoder is not None
    branches = [str(library.north.pk), None, "", str(uuid.uuid4()), 7]
    decoded = 0
    for turn in range(150):
        names = chance.sample(sorted(RIGHT), chance.randint(0, len(RIGHT)))
        body = {name: chance.choice(RIGHT[name]) for name in names}
        if turn % 2:
            body[chance.choice([*RIGHT, "id", "unknown"])] = chance.choice(ODD)
        if turn % 5 == 0:
            body["branch"] = chance.choice(branches)
        expected = by_serializer(SampleSerializer, body, who)
        found = decoder.decode(body, who)
        assert found in (None, expected), body
        if found is not None:
            assert {name: type(one) for name, one in found.items()} == {
                name: type(one) for name, one in expected.items()
            }
        decoded += found is not None
    assert decoded > 60


@pytest.mark.parametrize("body", [None, [], "text", 7, [{"title": "T"}]])
def test_what_is_no_object_is_left_to_the_serializer(librarian: ApiClient, body: Any) -> None:
    decoder = decoder_of(BookSerializer)
    assert decoder is not None
    assert decoder.decode(body, actor_of(librarian)) is None


def test_usual_bodies_need_no_serializer(
    librarian: ApiClient, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk), "price": "1.5"}
    plain = librarian.call("POST", "books/", body)
    assert plain.status_code == 201

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the serializer was asked")

    monkeypatch.setattr(BookSerializer, "to_internal_value", refuse)
    assert librarian.call("POST", "books/", {**body, "isbn": "2"}).status_code == 201
    assert Book.objects.count() == 2


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"title": ""}, {"/title": "blank"}),
        ({"title": "x" * 300}, {"/title": "max_length"}),
        ({"shelf": str(uuid.UUID(int=1))}, {"/shelf": "does_not_exist"}),
        ({"shelf": 5, "pages": "many"}, {"/shelf": "incorrect_type", "/pages": "invalid"}),
        ({"unknown": 1}, {"/unknown": "unknown_field"}),
    ],
)
def test_refusals_are_the_serializers(
    librarian: ApiClient, library: Library, values: dict[str, Any], found: dict[str, str]
) -> None:
    body = {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk), **values}
    response = librarian.call("POST", "books/", body)
    assert (response.status_code, codes(response)) == (422, found)


class CheckedSerializer(BookSerializer):
    """Checks one field more."""

    def validate_title(self, value: str) -> str:
        raise ValidationError("no")


class WholeSerializer(BookSerializer):
    """Checks the whole."""

    def validate(self, attrs: Any) -> Any:
        return attrs


class ShoutingField(serializers.CharField):
    """Makes something of its own of the text."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).upper()


class ShoutingSerializer(BookSerializer):
    """Has a field of its own making."""

    title = ShoutingField()


class DefaultedSerializer(BookSerializer):
    """Gives a value that nobody sent."""

    subtitle = serializers.CharField(default="none")


class AskedSerializer(BookSerializer):
    """Chooses its fields by who asks."""

    def get_fields(self) -> Any:
        return super().get_fields()


class AlienSerializer(serializers.ModelSerializer[Any]):
    """Is not the core's."""

    class Meta(BookSerializer.Meta):
        pass


@pytest.mark.parametrize(
    "serializer_class",
    [
        CheckedSerializer,
        WholeSerializer,
        ShoutingSerializer,
        DefaultedSerializer,
        AskedSerializer,
        AlienSerializer,
    ],
)
def test_a_serializer_with_a_way_of_its_own_is_asked(serializer_class: type[Any]) -> None:
    assert decoder_of(serializer_class) is None


def test_a_resource_with_a_way_of_its_own_is_asked() -> None:
    class Own(SampleResource):
        """Creates by a service."""

        def create_object(self, serializer: ModelSerializer) -> Any:
            return super().create_object(serializer)

    assert declared.decoder_of(SampleResource) is not None
    assert declared.decoder_of(Own) is None
    assert declared.decoder_of(MemberResource) is None, "it has field_rules"


def test_a_reference_is_found_in_the_actors_scope_only(client_of: Any, library: Library) -> None:
    narrow = client_of("view_shelf", "add_book", "view_book", units=[library.north.pk])
    body = {"title": "T", "isbn": "1"}
    for _turn in range(2):  # the first compiles, the second reuses
        for shelf, status in ((library.north_shelf, 201), (library.south_shelf, 422)):
            response = narrow.call(
                "POST", "books/", {**body, "isbn": uuid.uuid4().hex[:9], "shelf": str(shelf.pk)}
            )
            assert response.status_code == status, json.loads(response.content)


def test_a_deleted_row_cannot_be_referred_to(librarian: ApiClient, library: Library) -> None:
    library.north_shelf.delete()
    body = {"title": "T", "isbn": "1", "shelf": str(library.north_shelf.pk)}
    assert codes(librarian.call("POST", "books/", body)) == {"/shelf": "does_not_exist"}
