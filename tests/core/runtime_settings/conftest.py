"""A process that knows of no changed settings before and after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from platform_core.runtime_settings.reading import watch


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    watch().forget()
    yield
    watch().forget()
