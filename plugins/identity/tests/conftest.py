"""What every test of identity starts from: no login limits left over, and no verified tokens remembered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from platform_identity.services import tokens


@pytest.fixture(autouse=True)
def _fresh_process(db: None) -> Iterator[None]:
    cache.clear()
    tokens._verified.clear()
    yield
    cache.clear()
