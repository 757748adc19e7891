"""Files that last: what these functions have done survives a loss of power, and is whole or not there."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_private_file(file: Path, text: str) -> bool:
    """Write ``text`` to the new ``file`` with mode 0600; False, and nothing written, when it exists already.

    Its folder is made (0700) when it does not exist. Of processes that do so at once one succeeds. Raises OSError.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _draft(file, text.encode()) as draft:
        try:
            os.link(draft, file)
        except FileExistsError:
            return False
    return True


def replace_private_file(file: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``file``, which may exist or not, with mode 0600. Raises OSError."""
    with _draft(file, content) as draft:
        draft.replace(file)


def replace_file(file: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``file`` or of what it links to; mode and owner stay. Raises OSError."""
    target = file.resolve()
    known = target.stat()
    with _draft(target, content) as draft:
        draft.chmod(known.st_mode & 0o7777)
        if (known.st_uid, known.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, known.st_uid, known.st_gid)
        draft.replace(target)


@contextmanager
def _draft(file: Path, content: bytes) -> Iterator[Path]:
    """Yield a file beside ``file`` with ``content``, 0600 and on disk; what becomes of its name lasts, and no draft stays."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield draft
    finally:  # Ctrl-C too
        draft.unlink(missing_ok=True)
    sync_folder(file.parent)


def write_journal(file: Path, facts: Mapping[str, Any]) -> None:
    """Put ``facts`` into ``file`` in one step, on disk before the work that they announce begins."""
    replace_private_file(file, json.dumps(facts).encode())


def read_journal(file: Path) -> Any:
    """Return what ``write_journal`` put into ``file``; None when nothing is under way."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def remove_journal(file: Path) -> None:
    """Forget what was under way: nothing is left to finish or undo."""
    file.unlink(missing_ok=True)
    sync_folder(file.parent)
