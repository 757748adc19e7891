"""The database that a backup is made of: how to connect to it, and how to run PostgreSQL's own programs on it."""

from __future__ import annotations

import os
import re
import subprocess  # nosec B404
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from platform_core.backups.errors import BackupError
from platform_core.sealed.format import Sink
from platform_core.services import MAJOR_VERSION, Binaries, find_binaries

Connection = psycopg.Connection[tuple[Any, ...]]
MAINTENANCE_DATABASES = ("postgres", "template1")
CHUNK = 1 << 20


@dataclass(frozen=True)
class DatabaseServer:
    """A reachable database and the client programs of one PostgreSQL version.

    ``embedded`` says whether everything needed is in ``address``; else libpq's own variables count as well.
    """

    address: str = field(repr=False)
    embedded: bool
    major: int = MAJOR_VERSION

    @property
    def database(self) -> str:
        """Return the name of the deployment's database."""
        parts = self._parts()
        name = parts.get("dbname") or os.environ.get("PGDATABASE") or parts.get("user")
        return str(name or os.environ.get("PGUSER", "platform"))

    @property
    def programs(self) -> Binaries:
        """Return the programs; raises EmbeddedPostgresError when the wheel does not carry them."""
        return find_binaries(self.major)

    @contextmanager
    def connect(self, database: str | None = None) -> Iterator[Connection]:
        """Yield a connection in autocommit mode; raises BackupError when there is none to be had."""
        with self._open(database or self.database) as connection:
            yield connection

    @contextmanager
    def connect_beside(self) -> Iterator[Connection]:
        """Yield a connection to another database of the server, from where ours can be renamed or dropped."""
        try:
            opened = self._open(MAINTENANCE_DATABASES[0])
        except BackupError:
            opened = self._open(MAINTENANCE_DATABASES[1])
        with opened as connection:
            yield connection

    def _open(self, database: str) -> Connection:
        address = make_conninfo(**{**self._parts(), "dbname": database, "connect_timeout": 10})
        try:
            connection = psycopg.connect(address, autocommit=True)
        except psycopg.OperationalError as error:
            raise BackupError(
                "database_unreachable",
                f"The database cannot be reached ({type(error).__name__}).",
                "Check that it runs, and its address, user and password in DATABASE_URL.",
            ) from error
        # Counting and waiting for a dump take as long as they take, whatever the role's limits are.
        connection.execute("SET statement_timeout = 0")
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        return connection

    def command(self, program: str, *words: str, database: str | None = None) -> list[str]:
        """Return the command line of a client program; it holds no password."""
        parts = {k: v for k, v in self._parts().items() if k not in _SECRETS}
        parts["dbname"] = database or self.database
        return [
            str(self.programs.program(program)),
            *words,
            f"--dbname={make_conninfo(**parts)}",
        ]

    def environment(self, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a client program: the password travels in it."""
        if inherited is None:
            inherited = {k: v for k, v in os.environ.items() if self._may_pass(k)}
        parts = self._parts()
        secrets = {_SECRETS[k]: str(v) for k, v in parts.items() if k in _SECRETS and v}
        return {"PATH": os.defpath, **inherited, **secrets}

    def _parts(self) -> dict[str, Any]:
        try:
            return dict(conninfo_to_dict(self.address))
        except psycopg.Error:  # its text holds the address
            raise BackupError(
                "setting_invalid",
                "DATABASE_URL is not the address of a PostgreSQL database.",
                "Write postgresql://user:password@host:5432/name.",
            ) from None

    def _may_pass(self, name: str) -> bool:
        return not self.embedded and (name == "HOME" or name.startswith("PG"))

    def run(
        self,
        command: Sequence[str],
        purpose: str,
        *,
        source: Iterator[bytes] | None = None,
        sink: Sink | None = None,
        said: Callable[[str], None],
    ) -> None:
        """Run a client program to its end, feeding it ``source`` or writing its output to ``sink``.

        ``said`` gets each line that it prints about its work. Raises BackupError with its last words when it fails.
        """
        lines: list[str] = []
        with tempfile.TemporaryFile() as words:
            process = subprocess.Popen(  # noqa: S603 # nosec B603  (a program of the wheel, our arguments)
                list(command),
                stdin=subprocess.PIPE if source else subprocess.DEVNULL,
                stdout=subprocess.PIPE if sink else subprocess.DEVNULL,
                stderr=words,
                env={"LC_ALL": "C", **self.environment()},
                umask=0o077,
            )
            heard = _Listener(words.fileno(), said, lines)
            try:
                if source:
                    _feed(process, source, heard)
                if sink:
                    _drain(process, sink, heard)
                code = process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            heard()
        if code != 0:
            last = " ".join(line for line in lines if "error" in line.lower()) or " ".join(
                lines[-3:]
            )
            raise BackupError(
                "program_failed",
                f"PostgreSQL's {Path(command[0]).name} could not {purpose}: {last[-600:]}",
                "Repair what it names and repeat the command; what was there before is untouched.",
            )

    def create_database(self, connection: Connection, name: str) -> None:
        """Create an empty database with the encoding and locale of the deployment's own."""
        try:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}").format(
                    sql.Identifier(name), _locale(connection, self.database)
                )
            )
        except psycopg.errors.InsufficientPrivilege as error:
            raise BackupError(
                "cannot_create_database",
                "The database user may not create databases, and this needs one beside the deployment's.",
                "Let an administrator run ALTER ROLE … CREATEDB; db backup --no-verify does without.",
            ) from error

    def drop_database(self, connection: Connection, name: str) -> None:
        """Drop a database that this package made, whoever is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
        try:
            # This form ends autovacuum, which WITH (FORCE) may not when the user is no superuser.
            connection.execute(statement)
        except psycopg.errors.ObjectInUse:
            connection.execute(statement + sql.SQL(" WITH (FORCE)"))

    def databases_named(self, connection: Connection, pattern: str) -> list[str]:
        """Return the databases of this user whose names are the deployment's, ``_``, and a match of ``pattern``."""
        wanted = re.compile(re.escape(self.database[:_NAME_PART]) + "_" + pattern)
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE pg_has_role(datdba, 'USAGE') ORDER BY datname"
        )
        return [name for (name,) in rows if wanted.fullmatch(name)]

    def beside(self, suffix: str) -> str:
        """Return the name of a database beside the deployment's; PostgreSQL cuts names at 63 bytes."""
        return f"{self.database[:_NAME_PART]}_{suffix}"


_NAME_PART = 32
_SECRETS = {"password": "PGPASSWORD", "sslpassword": "PGSSLPASSWORD"}  # nosec B105


class _Listener:
    """Tell line by line what a program has written to the file of its words so far."""

    def __init__(self, descriptor: int, said: Callable[[str], None], lines: list[str]) -> None:
        self._descriptor, self._said, self._lines = descriptor, said, lines
        self._read, self._rest = 0, ""

    def __call__(self) -> None:
        """Read what is new; the program's own write position is left alone."""
        while chunk := os.pread(self._descriptor, CHUNK, self._read):
            self._read += len(chunk)
            *complete, self._rest = (self._rest + chunk.decode("utf-8", "replace")).split("\n")
            for line in complete:
                self._said(line)
                self._lines.append(line)
            del self._lines[:-50]


def _feed(
    process: subprocess.Popen[bytes], source: Iterator[bytes], heard: Callable[[], None]
) -> None:
    assert process.stdin is not None  # nosec B101  (opened as a pipe)
    try:
        for chunk in source:
            process.stdin.write(chunk)
            heard()
        process.stdin.close()
    except BrokenPipeError:  # the program has ended; its exit code and words say why
        return


def _drain(process: subprocess.Popen[bytes], sink: Sink, heard: Callable[[], None]) -> None:
    assert process.stdout is not None  # nosec B101  (opened as a pipe)
    with process.stdout as output:
        while chunk := output.read(CHUNK):
            sink.write(chunk)
            heard()


def _locale(connection: Connection, database: str) -> sql.Composable:
    """Return the options that give a new database the locale of ``database``, in any version since 15."""
    row = connection.execute(
        "SELECT to_jsonb(d) || jsonb_build_object('encoding', pg_encoding_to_char(encoding))"
        " FROM pg_database d WHERE datname = %s",
        [database],
    ).fetchone()
    if row is None:
        return sql.SQL("")
    found = row[0]
    provider = {"c": "libc", "i": "icu", "b": "builtin"}[found["datlocprovider"]]
    options = {
        "ENCODING": found["encoding"],
        "LOCALE_PROVIDER": provider,
        "LC_COLLATE": found["datcollate"],
        "LC_CTYPE": found["datctype"],
    }
    name = found.get("datlocale") or found.get("daticulocale")
    if provider != "libc" and name:
        options[f"{provider.upper()}_LOCALE"] = name
    return sql.SQL(" ").join(
        sql.SQL(f"{option} = {{}}").format(sql.Literal(value)) for option, value in options.items()
    )
