"""What an operation's serializer would pass over is found, however deep it is."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from platform_core.resource.inputs import passed_over, validated


class Line(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class Order(serializers.Serializer[Any]):
    number = serializers.CharField(read_only=True)
    first = Line(required=False)
    lines = Line(many=True, required=False)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"x": 1}, {"x": ["unknown_field"]}),
        ({"number": "7"}, {"number": ["read_only"]}),
        ({"first": {"count": 1, "x": 1}}, {"first": {"x": ["unknown_field"]}}),
        (
            {"lines": [{"count": 1}, {"count": 2, "x": 1}]},
            {"lines": [{}, {"x": ["unknown_field"]}]},
        ),
    ],
)
def test_what_would_be_passed_over_is_refused(body: Any, found: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        validated(Order(data=body))
    assert refused.value.get_codes() == found


def test_what_is_known_is_validated() -> None:
    lines = [{"count": 1}, {"count": 2}]
    assert validated(Order(data={"first": {"count": 3}, "lines": lines}))["lines"] == lines
    with pytest.raises(ValidationError):
        validated(Order(data=[]))


def test_so_many_refusals_are_told_and_no_more() -> None:
    assert len(passed_over(Order(), {f"x{number}": 1 for number in range(1000)})) == 200
