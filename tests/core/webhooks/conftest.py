"""Somebody who may do everything about webhooks, and receivers on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from platform_core.testing.actors import GrantsDouble, client_for, new_user
from platform_core.webhooks.permissions import PERMISSIONS
from tests.core.events.ground import Subscribing
from tests.core.outbound.allowing import LOOPBACK, allow
from tests.core.webhooks.receivers import Arrived, Receiver, Reply, receiver


@pytest.fixture
def operator(grants: GrantsDouble, settings: Any) -> Any:
    allow(settings, *LOOPBACK)
    actor = new_user()
    grants.give(actor, *(one.name for one in PERMISSIONS))
    return client_for(actor)


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """Return the function that starts a receiver; all end with the test."""
    with ExitStack() as stack:

        def start(reply: Callable[[Arrived], Reply] = lambda arrived: Reply()) -> Receiver:
            return stack.enter_context(receiver(reply))

        yield start


@pytest.fixture
def subscribe() -> Iterator[Subscribing]:
    """Return what contributes events for one test."""
    found = Subscribing()
    yield found
    found.forget()
