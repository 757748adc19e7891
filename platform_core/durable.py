"""Files that last: what these functions have done survives a loss of power, and is whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_journal(file: Path, facts: Mapping[str, Any]) -> None:
    """Put ``facts`` into ``file`` in one step, on disk before the work that they announce begins."""
    draft = file.with_name(f"{file.name}.draft")
    with draft.open("w", encoding="utf-8") as stream:
        json.dump(facts, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(file)
    sync_folder(file.parent)


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
