"""Share one embedded server between processes: the last one that uses it stops it, unless it is kept."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_core.services.postgres import EmbeddedPostgres


class Lease:
    """The right to use the embedded server of one data folder; any number of processes may hold it."""

    def __init__(self, data_dir: Path) -> None:
        """Name the files; nothing is created or locked yet."""
        self._file = data_dir / "postgres.lease"
        self._kept = data_dir / "postgres.keep"

    @property
    def kept(self) -> bool:
        """Whether the server stays when its last user leaves."""
        return self._kept.exists()

    @contextmanager
    def shared(self, server: EmbeddedPostgres) -> Iterator[None]:
        """Hold the lease for the block; afterwards stop the server when nobody else holds it and it is not kept."""
        with self._open() as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            try:
                yield
            finally:
                if _alone(descriptor) and not self.kept:
                    server.stop()

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Say whether nobody holds the lease; if so, nobody gets it before the block ends."""
        with self._open() as descriptor:
            yield _alone(descriptor)

    def keep(self) -> None:
        """Let the server outlive its users; to be called by a holder, so that none stops it in between."""
        os.close(os.open(self._kept, os.O_WRONLY | os.O_CREAT, 0o600))

    def release(self) -> None:
        """Let the server stop with its last user again."""
        self._kept.unlink(missing_ok=True)

    @contextmanager
    def _open(self) -> Iterator[int]:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
