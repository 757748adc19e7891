"""Run a private PostgreSQL server for one deployment, from the programs a wheel carries."""

import os
import secrets
import signal
import subprocess  # nosec B404
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from platform_core.services._account import Account, server_account
from platform_core.services._binaries import MAJOR_VERSION, executable_binaries
from platform_core.services._cluster import (
    ENVIRONMENT,
    ROLE,
    ROLE_FORM,
    check_version,
    create_cluster,
    explain,
    prepare_role,
    version_of,
)
from platform_core.services._errors import EmbeddedPostgresError
from platform_core.services._folder import Folder
from platform_core.services._processes import (
    Postmaster,
    alive,
    end_launched,
    end_orphans,
    live_postmaster,
    recorded_pid,
    recorded_socket_folder,
    send,
    wait_gone,
)
from platform_core.services._settings import placement, server_settings

StopMode = Literal["fast", "smart", "immediate"]

_STOP_SIGNALS: Mapping[StopMode, signal.Signals] = {
    "fast": signal.SIGINT,
    "smart": signal.SIGTERM,
    "immediate": signal.SIGQUIT,
}


@dataclass(frozen=True)
class ServerInfo:
    """How to reach a running server. `host` is the folder of its unix socket."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    pid: int

    def url(self) -> str:
        """Return a libpq connection URL, with the password in it.

        The socket folder is the query parameter `host`, as libpq, psycopg and URL parsers that
        copy query parameters into connection options read it. In the host's place it would be
        `%2F…`, which parsers put into lower case.
        """
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        query = urlencode({"host": self.host, "port": self.port}, quote_via=quote, safe="/")
        return f"postgresql://{user}:{password}@/{quote(self.database, safe='')}?{query}"


class EmbeddedPostgres:
    """The PostgreSQL server of one folder. Any number of processes may hold one for it."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "platform",
        settings: Mapping[str, str] | None = None,
        major: int = MAJOR_VERSION,
    ) -> None:
        """Name the folder, the database, server settings (as in `postgresql.conf`) and the version of the programs.

        Nothing is created or started yet. Settings apply when this object starts the server, not
        when it adopts a running one. Raises EmbeddedPostgresError for a setting the launcher needs
        for itself and for malformed names.
        """
        self._folder = Folder(folder)
        self._database = database
        self._major = major
        self._settings = server_settings(settings or {})
        if not 0 < len(database.encode()) < 64 or "\0" in database:
            raise EmbeddedPostgresError(
                f"{database!r} cannot name a database: choose a name of 1 to 63 bytes."
            )

    def start(self, *, timeout_s: float = 60) -> ServerInfo:
        """Start the server, or adopt the one running on the folder; create what is missing.

        The first start creates the cluster. What a killed server left behind is repaired. Raises
        EmbeddedPostgresError when the server does not answer in `timeout_s` seconds or cannot run.
        """
        deadline = time.monotonic() + timeout_s
        with self._folder.explained():
            self._folder.create()
            with self._folder.locked(deadline):
                return self._start_locked(deadline)

    def stop(self, *, mode: StopMode = "fast", timeout_s: float = 30) -> None:
        """Stop the server, whoever started it; do nothing when none is running.

        `smart` waits for clients to leave, `fast` disconnects them, `immediate` skips the clean
        shutdown. Raises EmbeddedPostgresError when it still runs after `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        with self._folder.explained():
            if not self._folder.path.is_dir():
                return
            with self._folder.locked(deadline):
                if not self._stop_locked(_STOP_SIGNALS[mode], deadline):
                    raise EmbeddedPostgresError(
                        f"The database server in {self._folder.path} has not stopped in"
                        f" {timeout_s:g} s. Close its clients, or stop it in the mode fast or"
                        " immediate."
                    )

    def running(self) -> ServerInfo | None:
        """Return how to reach the server, or None when none is ready; never start one."""
        try:
            postmaster = live_postmaster(self._folder.data)
            password = self._folder.password()
        except OSError:  # a folder closed to this user: no server of theirs
            return None
        if postmaster is None or postmaster.status != "ready" or password is None:
            return None
        return self._info(postmaster, password)

    def version_on_disk(self) -> int | None:
        """Return the PostgreSQL version that made the cluster, or None when there is none yet.

        Raises EmbeddedPostgresError when what is there is no cluster.
        """
        return version_of(self._folder.data) if self._folder.data.exists() else None

    def _start_locked(self, deadline: float) -> ServerInfo:
        data = self._folder.data
        account = server_account(data)
        if data.exists():
            check_version(data, self._major)
        postmaster = live_postmaster(data)
        if postmaster is not None and postmaster.status == "stopping":
            wait_gone(postmaster.pid, data, deadline)
            postmaster = live_postmaster(data)
        if postmaster is not None:
            try:
                return self._usable(None, deadline)
            except EmbeddedPostgresError:
                # One that was killed a moment ago still looks alive; then a new one takes its place.
                if not wait_gone(postmaster.pid, data, min(deadline, time.monotonic() + 2)):
                    raise
        process = self._launch(account, deadline)
        try:
            return self._usable(process, deadline)
        except BaseException:  # Ctrl-C too: a server that start() did not return must not remain
            end_launched(process)
            raise

    def _usable(self, process: "subprocess.Popen[bytes] | None", deadline: float) -> ServerInfo:
        info = self._wait_until_ready(process, deadline)
        self._ensure_database(info)
        return info

    def _stop_locked(self, number: signal.Signals, deadline: float) -> bool:
        """Send the signal and wait; return False when the server still runs at the deadline."""
        data = self._folder.data
        postmaster = live_postmaster(data)
        if postmaster is None:
            return True
        send(postmaster.pid, number, data)
        if not wait_gone(postmaster.pid, data, deadline):
            return False
        account = server_account(data)
        self._folder.remove_short_socket_folder(postmaster.socket_folder, account)
        return True

    def _launch(self, account: Account, deadline: float) -> "subprocess.Popen[bytes]":
        """Prepare the folder and start a server process of its own session."""
        folder, data = self._folder, self._folder.data
        binaries = executable_binaries(account, folder.path, self._major)
        if data.exists():
            self._clear_what_a_crash_left(account)
        else:
            durable = self._settings.get("fsync") != "off"
            create_cluster(folder, binaries, account, durable=durable, deadline=deadline)
        known = folder.password()
        if known is None or folder.role_form() != ROLE_FORM:
            password = known or secrets.token_urlsafe(32)
            prepare_role(folder, binaries, account, password, deadline)
            folder.keep_password(password, account)
            folder.keep_role_form(ROLE_FORM, account)
        folder.private_folder(folder.logs, account)
        sockets = folder.socket_folder(account)
        command = [str(binaries.postgres), "-D", str(data)]
        for name, value in {**self._settings, **placement(sockets, folder.logs)}.items():
            command += ["-c", f"{name}={value}"]
        readable = [*binaries.readable, data, folder.logs, sockets]
        log = folder.open_server_log(account)
        with os.fdopen(log, "wb") as output:
            process = subprocess.Popen(  # noqa: S603 # nosec B603
                account.command(command, readable),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=ENVIRONMENT,
                cwd="/",
                umask=0o077,
                start_new_session=True,  # Ctrl-C in the caller's terminal does not reach it
            )
        # Collects the exit status whenever the server ends, so that no zombie keeps its id.
        threading.Thread(target=process.wait, name="embedded-postgres", daemon=True).start()
        return process

    def _clear_what_a_crash_left(self, account: Account) -> None:
        """End orphaned server processes and forget a process id that is now somebody else's."""
        data = self._folder.data
        end_orphans(data)
        self._folder.remove_short_socket_folder(recorded_socket_folder(data), account)
        pid = recorded_pid(data)
        if pid is not None and alive(pid):
            (data / "postmaster.pid").unlink(missing_ok=True)

    def _wait_until_ready(
        self, process: "subprocess.Popen[bytes] | None", deadline: float
    ) -> ServerInfo:
        while True:
            postmaster = live_postmaster(self._folder.data)
            if postmaster is not None and postmaster.status == "ready":
                break
            if postmaster is None and (process is None or process.returncode is not None):
                raise self._error("The database server could not start.")
            if time.monotonic() >= deadline:
                raise self._error("The database server was not ready in time: allow it longer.")
            time.sleep(0.02)
        password = self._folder.password()
        if password is None:
            raise EmbeddedPostgresError(
                f"The password of the database running in {self._folder.path} is missing."
                " Stop the server and start it again: the start sets a new one."
            )
        return self._info(postmaster, password)

    def _ensure_database(self, info: ServerInfo) -> None:
        """Create the database unless it exists; the application's role owns it."""
        try:
            with psycopg.connect(
                host=info.host,
                port=info.port,
                user=info.user,
                password=info.password,
                dbname="postgres",
                connect_timeout=10,
                autocommit=True,
            ) as connection:
                known = "SELECT FROM pg_database WHERE datname = %s"
                if connection.execute(known, [info.database]).fetchone() is None:
                    name = sql.Identifier(info.database)
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except psycopg.Error as error:
            raise self._error(
                f"The database {info.database!r} cannot be opened: {error}"
            ) from error

    def _info(self, postmaster: Postmaster, password: str) -> ServerInfo:
        return ServerInfo(
            host=postmaster.socket_folder,
            port=postmaster.port,
            user=ROLE,
            password=password,
            database=self._database,
            pid=postmaster.pid,
        )

    def _error(self, what: str) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(explain(what, self._folder.last_log_lines()))
