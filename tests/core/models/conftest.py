"""What the tests of models share: somebody who acts, and the recorded writes of a row."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from platform_core.access import Actor, acting_as

REQUEST_ID = "request-1"


@pytest.fixture
def clerk() -> Iterator[Actor]:
    """A user who acts during the test, in one request and for one reason."""
    actor = Actor(uuid.uuid4(), "user", "clerk")
    with acting_as(actor, request_id=REQUEST_ID, reason="stocktaking"):
        yield actor
