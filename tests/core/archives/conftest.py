"""A deployment with education, OneRoster rows, history and grants, uninstalled into an archive: made once, copied often."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from platform_education.testing import write_oneroster_set
from tests.core.archives.ground import Facts, facts_of, give_grants
from tests.deployments import TestDeployment, new_deployment


@dataclass
class Ground:
    """The deployment before and after, as databases to copy from; the archive lies outside the deployment."""

    before: str
    after: str
    archive: Path
    facts: Facts
    rows: int
    document: dict[str, Any]
    folder: Path

    @contextmanager
    def copy(self, template: str, folder: Path, **lists: Any) -> Iterator[TestDeployment]:
        """Yield a deployment whose database is a copy of ``template``."""
        with copied_database(template) as url:
            folder.mkdir(parents=True, exist_ok=True)
            made = TestDeployment(folder=folder, database_url=url)
            made.write(**lists)
            yield made

    def with_education(self, folder: Path) -> Any:
        """Yield the deployment as it was before, the plugin's file included."""
        write_plugin_file(folder)
        return self.copy(self.before, folder, plugins=["identity", "education"])

    def without_education(self, folder: Path) -> Any:
        """Yield the deployment as uninstall left it."""
        return self.copy(self.after, folder, plugins=["identity"])


@contextmanager
def copied_database(template: str) -> Iterator[str]:
    """Yield the address of a copy of the database at the address ``template``, dropped afterwards."""
    parts = urlsplit(template)
    name = f"copy_{uuid.uuid4().hex[:16]}"
    server = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(parts.path.lstrip("/"))
            )
        )
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


def write_plugin_file(folder: Path) -> None:
    """Give the plugin a file of its own in the deployment's data folder."""
    file = folder / "var" / "plugins" / "education" / "logos" / "north.svg"
    file.parent.mkdir(parents=True)
    file.write_text("<svg/>", encoding="utf-8")


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Make the deployment, take the plugin out, and keep both databases to copy."""
    with made_ground(tmp_path_factory.mktemp("archives")) as made:
        yield made


@contextmanager
def made_ground(folder: Path) -> Iterator[Ground]:
    """Make the deployment in ``folder``, take the plugin out, and keep both databases to copy."""
    with new_deployment(folder / "site", plugins=["identity", "education"]) as site:
        assert site.call("migrate").code == 0
        write_oneroster_set(folder, schools=2, students=20)
        assert site.call("import", "education", str(folder)).code == 0
        give_grants(site.database_url)
        facts = facts_of(site.database_url)
        write_plugin_file(site.folder)
        with copied_database(site.database_url) as before:
            archive = folder / "education.zip"
            answer = site.call(
                "plugin", "uninstall", "education", "--confirm", "education",
                "--archive", str(archive), "--json",
            )  # fmt: skip
            assert answer.code == 0, answer.out + answer.err
            yield Ground(
                before=before,
                after=site.database_url,
                archive=archive,
                facts=facts,
                rows=sum(one["rows"] for one in answer.document["tables"]),
                document=answer.document,
                folder=site.folder,
            )
