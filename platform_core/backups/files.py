"""Which files of the data folder belong to a deployment's backup."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = re.compile(
    r"postgres(\..+|-.+)?|backups|operations|backup\.lock|logs|restore\.json.*|(before-)?restore-\d{8}T.*|upgrade\.json.*|\..*"
)
"""Names that no backup holds: the database itself, backups, logs, files of operations, which expire, and what the
commands keep beside."""

SECRETS = frozenset({"secret_key", "keys", "secrets", "owner-credentials.txt"})
"""What ``--without-secrets`` leaves out: keys and passwords, by the names that the data folder gives them."""


def entries(data_dir: Path, *, secrets: bool = True) -> list[str]:
    """Return the names directly in the data folder that belong to a backup."""
    if not data_dir.is_dir():
        return []
    return sorted(
        path.name
        for path in data_dir.iterdir()
        if not LEFT_OUT.fullmatch(path.name)
        and (secrets or path.name not in SECRETS)
        and not path.is_socket()
    )


def walk(data_dir: Path, *, secrets: bool = True) -> Iterator[Path]:
    """Yield the regular files of a backup; links, sockets and pipes are not followed, see ``not_regular``."""
    yield from (path for path, regular in _all(data_dir, secrets=secrets) if regular)


def not_regular(data_dir: Path, *, secrets: bool = True) -> list[str]:
    """Return what a backup cannot hold, such as links, relative to the data folder."""
    return [
        path.relative_to(data_dir).as_posix()
        for path, regular in _all(data_dir, secrets=secrets)
        if not regular
    ]


def _all(data_dir: Path, *, secrets: bool) -> Iterator[tuple[Path, bool]]:
    for name in entries(data_dir, secrets=secrets):
        top = data_dir / name
        if top.is_symlink() or not top.is_dir():
            yield top, _is_regular(top)
            continue
        for folder, folders, names in os.walk(top):
            folders.sort()
            here = Path(folder)
            for found in sorted(names):
                yield here / found, _is_regular(here / found)
            yield from ((here / one, False) for one in folders if (here / one).is_symlink())


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:  # gone since the folder was read
        return False
