"""Lay out the folder of one embedded database: its lock, password, sockets and logs."""

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platform_core.services._account import Account, server_account
from platform_core.services._errors import EmbeddedPostgresError

PORT = 5432
"""Names the socket file only; no TCP port is opened."""

_SOCKET = f".s.PGSQL.{PORT}"
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
_SHORT_PREFIX = "platform-pg-"


class Folder:
    """The files around one data directory. All are private to their owner."""

    def __init__(self, path: Path) -> None:
        """Name the files; nothing is created or read yet."""
        self.path = path.absolute()
        self.data = self.path / "data"
        self.logs = self.path / "log"
        self.server_log = self.path / "server.log"
        self._sockets = self.path / "socket"
        self._password = self.path / "password"
        self._role_form = self.path / "role"
        if any(ord(character) < 32 for character in str(self.path)):
            raise EmbeddedPostgresError(
                f"The database folder {str(self.path)!r} has a control character in its path,"
                " which PostgreSQL cannot record. Choose another data folder."
            )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn refusals of the operating system into EmbeddedPostgresError."""
        try:
            yield
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The database folder {self.path} cannot be used: {error}. Choose a data folder"
                " you may write to, or set DATABASE_URL to another database."
            ) from error

    def create(self) -> None:
        """Create the folder at mode 0700, complete or not at all; an existing one stays as is."""
        if self.path.is_dir():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{self.path.name[:32]}-", dir=self.path.parent))
        try:
            server_account(self.data).own(fresh)
            fresh.rename(self.path)
        except OSError:
            fresh.rmdir()
            if not self.path.is_dir():  # else another process was faster
                raise

    @contextmanager
    def locked(self, deadline: float) -> Iterator[None]:
        """Hold the folder against other processes and threads that start or stop the server."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path / "lock", flags, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise EmbeddedPostgresError(
                            f"Another process is starting or stopping the database in {self.path}"
                            " and has not finished in time. Wait for it or end it, then try again."
                        ) from None
                    time.sleep(0.05)
            server_account(self.data).own(descriptor)
            yield
        finally:
            os.close(descriptor)

    def private_folder(self, path: Path, account: Account) -> Path:
        """Create a folder of the account at 0700 unless it exists."""
        if not path.is_dir():
            path.mkdir(mode=0o700)
            account.own(path)
        return path

    def write_private(self, path: Path, text: str, account: Account) -> None:
        """Write a file of the account at 0600, appearing complete or not at all."""
        unfinished = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            account.own(descriptor)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        unfinished.rename(path)

    def keep_password(self, password: str, account: Account) -> None:
        """Keep the application's database password for later starts."""
        self.write_private(self._password, f"{password}\n", account)

    def password(self) -> str | None:
        """Return the application's database password, or None when it is not there."""
        try:
            descriptor = os.open(self._password, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, encoding="ascii") as file:
            return file.read().strip() or None

    def role_form(self) -> str:
        """Return which form the application's role was given; empty when that was before forms were told apart."""
        try:
            return self._role_form.read_text("ascii").strip()
        except FileNotFoundError:
            return ""

    def keep_role_form(self, form: str, account: Account) -> None:
        """Remember which form the application's role has."""
        self.write_private(self._role_form, f"{form}\n", account)

    def socket_folder(self, account: Account) -> Path:
        """Return an empty socket folder, short enough for the operating system.

        That is a subfolder, or for long paths (and those with a comma, at which libpq splits
        hosts) a private folder for temporary files. Its name follows from the path, so that
        processes find a restarted server where it was; a name taken by somebody else is given up.
        """
        path = self._sockets / _SOCKET
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT and "," not in str(path):
            self.private_folder(self._sockets, account)
            _remove_sockets(self._sockets)
            return self._sockets
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        short = _short_parent() / f"{_SHORT_PREFIX}{account.uid}-{digest}"
        try:
            short.mkdir(mode=0o700)
            account.own(short)
        except FileExistsError:
            status = short.lstat()
            private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700
            if not private or status.st_uid != account.uid:
                short = Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX, dir=_short_parent()))
                account.own(short)
        _remove_sockets(short)
        return short

    def remove_short_socket_folder(self, recorded: str | None, account: Account) -> None:
        """Remove the temporary socket folder of a server that has ended, if that is what it is."""
        path = Path(recorded or "/")
        if path.name.startswith(_SHORT_PREFIX) and path.parent == _short_parent():
            with suppress(OSError):  # cleaned up by the machine, or in use by somebody else
                status = path.lstat()
                if stat.S_ISDIR(status.st_mode) and status.st_uid == account.uid:
                    _remove_sockets(path)
                    path.rmdir()

    def remove_unfinished(self, path: Path) -> None:
        """Remove what an interrupted first start has left."""
        if path.is_dir():
            shutil.rmtree(path)

    def last_log_lines(self, count: int = 12) -> list[str]:
        """Return the end of what the server has said most recently."""
        lines: list[str] = []
        newest = sorted(self.logs.glob("*.log"), key=lambda log: log.lstat().st_mtime)[-1:]
        for log in (self.server_log, *newest):
            with suppress(OSError):
                descriptor = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                with os.fdopen(descriptor, "rb") as file:
                    file.seek(max(0, os.fstat(descriptor).st_size - 8192))
                    lines += file.read().decode("utf-8", "replace").splitlines()[-count:]
        return lines[-count:]

    def open_server_log(self, account: Account) -> int:
        """Empty the log of the server's first words and return its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.server_log, flags, 0o600)
        account.own(descriptor)
        return descriptor


def _short_parent() -> Path:
    """Return the folder for temporary files that all accounts can reach; TMPDIR may be long."""
    return Path("/tmp")  # noqa: S108 # nosec B108


def _remove_sockets(folder: Path) -> None:
    """Remove socket files of an ended server; its lock file may name a reused process id."""
    for name in (_SOCKET, f"{_SOCKET}.lock"):
        (folder / name).unlink(missing_ok=True)
