"""One deployment with a plugin of jobs for each module: starting one takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.tasks.ground import Ground, playground


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Return the deployment."""
    folder: Path = tmp_path_factory.mktemp("tasks")
    with playground(folder) as found:
        yield found
