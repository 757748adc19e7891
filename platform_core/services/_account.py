"""Decide which operating-system account the database server runs as, and run programs as it."""

import os
import pwd
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platform_core.services import _unprivileged
from platform_core.services._errors import EmbeddedPostgresError


@dataclass(frozen=True)
class Account:
    """The account that owns the data directory and runs the server."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Say whether programs have to change account, which only root can."""
        return self.uid != os.geteuid()

    def command(self, command: Sequence[str], readable: Sequence[Path]) -> list[str]:
        """Return the command that runs the given one as this account.

        `readable` are the paths the program must be able to read; see `_unprivileged`.
        """
        if not self.is_other:
            return list(command)
        shim = [sys.executable, "-I", "-S", _unprivileged.__file__, str(self.uid), str(self.gid)]
        return [*shim, *map(str, readable), "--", *command]

    def own(self, path: Path | int) -> None:
        """Hand a file or folder this package has just created to the account."""
        if not self.is_other:
            return
        if isinstance(path, int):
            os.fchown(path, self.uid, self.gid)
        else:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(data: Path) -> Account:
    """Return the account for a data directory, which need not exist yet.

    An existing directory keeps its owner. PostgreSQL refuses to run as root: root uses the owner
    of the folder around it, or else the user `postgres`, or else `nobody`.
    """
    caller = os.geteuid()
    try:
        status = data.lstat()
    except FileNotFoundError:
        return Account(caller, os.getegid()) if caller else _account_for_root(data.parent)
    if status.st_uid == 0:
        raise EmbeddedPostgresError(
            f"The database folder {data} belongs to root, as whom PostgreSQL refuses to run."
            " Give it to an unprivileged user, or set DATABASE_URL to another database."
        )
    if caller not in (0, status.st_uid):
        raise EmbeddedPostgresError(
            f"The database folder {data} belongs to user id {status.st_uid}, not to you."
            " Start as that user, choose another data folder, or set DATABASE_URL."
        )
    return Account(status.st_uid, status.st_gid)


def _account_for_root(folder: Path) -> Account:
    with suppress(FileNotFoundError):
        status = folder.stat()
        if status.st_uid != 0:
            return Account(status.st_uid, status.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor"
        " `nobody`. Create one, start as an unprivileged user, or set DATABASE_URL."
    )
