"""A small deployment without Django: a database of its own and a data folder, to be backed up and restored."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from platform_core.backups.making import MadeBackup, Wanted, make_backup
from platform_core.backups.reading import open_backup
from platform_core.backups.restoring import Restored, restore_backup
from platform_core.backups.server import DatabaseServer
from tests.deployments import ROOT

TABLES = """
CREATE TABLE school (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, opened date);
CREATE TABLE pupil (id bigserial PRIMARY KEY, school uuid REFERENCES school, note jsonb, photo bytea);
INSERT INTO school (name, opened) SELECT 'École ' || n, date '1900-01-01' + n FROM generate_series(1, 50) n;
INSERT INTO pupil (school, note, photo)
    SELECT s.id, jsonb_build_object('mark', random()), decode(md5(n::text), 'hex')
    FROM school s, generate_series(1, 40) n;
"""


def silent(step: str, done: int, total: int) -> None:
    """Take progress and show nothing."""


@dataclass
class Place:
    """A database and a data folder."""

    url: str
    data_dir: Path

    @property
    def server(self) -> DatabaseServer:
        return DatabaseServer(self.url, embedded=False)

    @property
    def configuration(self) -> Path:
        return self.data_dir.parent / "platform.toml"

    def fill(self) -> None:
        """Make tables with rows and the files that a deployment keeps."""
        self.execute(TABLES)
        self.configuration.write_text("[platform]\n", encoding="utf-8")
        for name, text in {
            "secret_key": "first",
            "keys/identity-signing.pem": "first key",
            "mail/2026/été du nord.eml": "hello",
            "uploads/photo.bin": "\0\1" * 5000,
            "logs/requests.log": "not to be kept",
        }.items():
            path = self.data_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o600)

    def change(self) -> None:
        """Do what a restore has to undo."""
        self.execute(
            "DELETE FROM pupil WHERE id % 2 = 0; UPDATE school SET name = 'changed';"
            "CREATE TABLE later (id int); INSERT INTO later VALUES (1)"
        )
        (self.data_dir / "secret_key").write_text("second", encoding="utf-8")
        (self.data_dir / "mail" / "later.eml").write_text("later", encoding="utf-8")
        (self.data_dir / "uploads" / "photo.bin").unlink()
        shutil.rmtree(self.data_dir / "keys")
        (self.data_dir / "since").mkdir()
        (self.data_dir / "since" / "new.txt").write_text("new", encoding="utf-8")

    def execute(self, statements: str, url: str | None = None) -> None:
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            connection.execute(statements.encode())

    def rows(self, database: str | None = None) -> dict[str, list[str]]:
        """Return every row of every table as text."""
        with self.server.connect(database) as connection:
            names = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            ).fetchall()
            found = {}
            for (name,) in names:
                question = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(
                    sql.Identifier(name)
                )
                found[name] = [row[0] for row in connection.execute(question)]
            return found

    def files(self, folder: Path | None = None) -> dict[str, bytes]:
        """Return every file that a backup is to hold, with its content."""
        root = folder or self.data_dir
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
            and path.relative_to(root).parts[0]
            in ("secret_key", "keys", "mail", "uploads", "since")
        }

    def state(self) -> tuple[dict[str, list[str]], dict[str, bytes]]:
        return self.rows(), self.files()

    def databases(self) -> set[str]:
        """Return the databases that belong to this deployment."""
        with self.server.connect_beside() as connection:
            names = connection.execute("SELECT datname FROM pg_database").fetchall()
        return {name for (name,) in names if name.startswith(self.server.database[:32])}

    def backup(self, **wanted: object) -> MadeBackup:
        return make_backup(
            self.server,
            self.data_dir,
            self.configuration,
            Wanted(**wanted),  # type: ignore[arg-type]
            progress=silent,
        )

    def restore(self, path: Path) -> Restored:
        with open_backup(path, progress=silent) as archive:
            return restore_backup(self.server, self.data_dir, archive, progress=silent)

    def run_python(self, code: str, *arguments: str) -> int:
        """Run code in a process of its own, with this place as ``place``; return its exit code."""
        setup = (
            "import os, pathlib, signal, sys\nfrom tests.core.backups.ground import Place\n"
            "place = Place(sys.argv[1], pathlib.Path(sys.argv[2]))\n"
            "def die(*_):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        command = [sys.executable, "-c", setup + code, self.url, str(self.data_dir), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
