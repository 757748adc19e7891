"""The fast read road answers byte for byte what the serializer would."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from platform_core.resource.representation import plan_of
from tests.core.resource.conftest import Library
from tests.core.resource.testapp.models import Sample
from tests.core.resource.testapp.resources import (
    BookSerializer,
    SampleSerializer,
    SlowSampleSerializer,
)

pytestmark = pytest.mark.django_db

FULL: dict[str, Any] = {
    "text": 'é\u2028"\\\n<&> 😀',
    "slug": "a-b",
    "email": "a@example.org",
    "url": "https://example.org/?a=1",
    "number": -5,
    "big": 2**62,
    "ratio": 0.1,
    "price": Decimal("12345678.1200"),
    "yes": True,
    "day": dt.date(2024, 2, 29),
    "moment": dt.datetime(2024, 2, 29, 23, 59, 59, 120, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    "time": dt.time(1, 2, 3, 4000),
    "span": dt.timedelta(days=1, seconds=2, microseconds=3),
    "address": "2001:db8::1",
    "key": uuid.UUID(int=7),
    "data": {"a": [1, 2.5, None, "é"], "b": {"c": True}},
    "grade": 2,
}
EXTREMES: list[dict[str, Any]] = [
    FULL,
    {},
    {"moment": dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "time": dt.time(0), "price": Decimal(0)},
    {"moment": dt.datetime(1, 1, 1, tzinfo=dt.UTC), "day": dt.date(1, 1, 1), "ratio": 1e300},
    {"price": Decimal("-0.0001"), "ratio": -0.0, "span": dt.timedelta(0), "address": "10.0.0.1"},
    {"data": "text", "ratio": 1.0},
    {"data": [], "yes": False, "number": 0},
]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
@pytest.mark.parametrize("values", EXTREMES)
def test_both_roads_answer_the_same_bytes(
    librarian: Any, library: Library, values: dict[str, Any], zone: str
) -> None:
    branch = library.north if values is FULL else None
    sample = Sample.objects.create(branch=branch, **values)
    with override_settings(TIME_ZONE=zone):
        for path in ("", f"{sample.pk}/"):
            fast = librarian.call("GET", f"samples/{path}")
            slow = librarian.call("GET", f"slow-samples/{path}")
            assert fast.status_code == slow.status_code == 200
            assert fast.content == slow.content


def test_the_two_roads_are_two() -> None:
    assert plan_of(SampleSerializer()) is not None
    assert plan_of(BookSerializer()) is not None
    assert plan_of(SlowSampleSerializer()) is None


def test_values_have_one_form(librarian: Any, library: Library) -> None:
    sample = Sample.objects.create(branch=library.north, **FULL)
    shown = librarian.call("GET", f"samples/{sample.pk}/").json()
    assert shown["moment"] == "2024-02-29T21:59:59.000120Z"
    assert shown["price"] == "12345678.1200"
    assert shown["branch"] == str(library.north.pk)
    assert shown["key"] == str(FULL["key"])
