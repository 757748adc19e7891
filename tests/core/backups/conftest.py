"""Give each test a deployment of its own to lose and to get back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.backups.ground import Place
from tests.deployments import new_database


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A filled database and data folder, in a path with a space and an accent."""
    data_dir = tmp_path / "école du nord" / "var"
    data_dir.mkdir(parents=True, mode=0o700)
    with new_database() as url:
        made = Place(url, data_dir)
        made.fill()
        yield made
        with made.server.connect_beside() as connection:
            for name in made.databases() - {made.server.database}:
                made.server.drop_database(connection, name)
