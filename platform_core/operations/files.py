"""Where operations keep the file they were given and the one they made: below the data folder, for nobody else."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final
from uuid import UUID

from django.conf import settings

from platform_core.durable import sync_folder

FOLDER: Final = "operations"
INPUT: Final = "input"
_CHUNK: Final = 1 << 20


def folder_of(operation_id: UUID) -> Path:
    """Return the folder of one operation; it need not exist."""
    found: Path = settings.PLATFORM_DATA_DIR / FOLDER / str(operation_id)
    return found


def keep_input(operation_id: UUID, source: IO[bytes]) -> int:
    """Copy ``source`` to where the operation finds it, and return its size in bytes."""
    with _writing(operation_id, INPUT) as target:
        shutil.copyfileobj(source, target, _CHUNK)
        return target.tell()


def input_of(operation_id: UUID) -> Path:
    """Return the path of the file that the operation was given."""
    return folder_of(operation_id) / INPUT


def result_of(operation_id: UUID, token: str) -> Path:
    """Return the path of the file that the operation made under ``token``."""
    return folder_of(operation_id) / f"result-{token}"


@contextmanager
def writing_result(operation_id: UUID) -> Iterator[tuple[str, BinaryIO]]:
    """Yield a token and a file; when the block ends well, the file is on disk under that token.

    Each attempt of an operation has a token of its own, so that none overwrites what another has made.
    """
    token = secrets.token_hex(8)
    with _writing(operation_id, f"result-{token}") as target:
        yield token, target


def remove_files(operation_id: UUID) -> None:
    """Remove the operation's files."""
    shutil.rmtree(folder_of(operation_id), ignore_errors=True)


def remove_input(operation_id: UUID) -> None:
    """Remove the file that the operation was given; nobody reads it once the work has ended."""
    input_of(operation_id).unlink(missing_ok=True)


def remove_unknown(known: Collection[UUID], *, older_than: float) -> int:
    """Remove the folders of operations that are not ``known``, when they were last changed before ``older_than``.

    A transaction that was rolled back leaves one behind. Returns how many there were.
    """
    top: Path = settings.PLATFORM_DATA_DIR / FOLDER
    names = {str(one) for one in known}
    removed = 0
    for folder in top.iterdir() if top.is_dir() else ():
        if folder.name not in names and folder.stat().st_mtime < older_than:
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


@contextmanager
def _writing(operation_id: UUID, name: str) -> Iterator[BinaryIO]:
    folder = folder_of(operation_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        sync_folder(folder)
    except BaseException:  # Ctrl-C too: no half of a file stays
        path.unlink(missing_ok=True)
        raise
