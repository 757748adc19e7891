"""Subscriptions for one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.core.events.ground import Subscribing


@pytest.fixture
def subscribe() -> Iterator[Subscribing]:
    """Return the function that subscribes."""
    found = Subscribing()
    yield found
    found.forget()
