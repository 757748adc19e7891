"""A cluster that PostgreSQL 16 made moves to the installed version with every row, and the old one is kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from platform_core.backups.errors import BackupError
from platform_core.backups.upgrading import (
    JOURNAL,
    drop_kept_clusters,
    finish_if_interrupted,
    upgrade_cluster,
)
from platform_core.services import EmbeddedPostgres, EmbeddedPostgresError, find_binaries
from platform_core.services._account import server_account
from platform_core.services._cluster import run_program
from platform_core.services._folder import Folder
from tests.core.backups.ground import Place, silent
from tests.deployments import TestDeployment

OLD = 16


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A deployment whose embedded cluster was made and filled by the older programs."""
    deployment = tmp_path / "école du nord"
    data_dir = deployment / "var"
    data_dir.mkdir(parents=True, mode=0o700)
    TestDeployment(deployment, "").write(plugins=["identity"])
    make_cluster(data_dir / "postgres")
    old = EmbeddedPostgres(data_dir / "postgres", major=OLD)
    Place(old.start().url(), data_dir).fill()
    old.stop()
    yield deployment
    for cluster in data_dir.glob("postgres*"):
        if cluster.is_dir():
            EmbeddedPostgres(cluster).stop(mode="immediate")


def make_cluster(path: Path) -> None:
    """Let the older initdb make a cluster in the launcher's layout, as the launcher's account."""
    folder = Folder(path)
    folder.create()
    account = server_account(folder.data)
    folder.private_folder(folder.data, account)
    binaries = find_binaries(OLD)
    command = [str(binaries.initdb), f"--pgdata={folder.data}", "--username=postgres"]
    command += ["--auth=scram-sha-256", "--auth-local=trust", "--encoding=UTF8", "--no-locale"]
    run_program(
        account.command([*command, "--no-sync"], [*binaries.readable, folder.data]),
        "create the database",
        time.monotonic() + 60,
    )


def rows(cluster: Path, major: int) -> dict[str, list[str]]:
    server = EmbeddedPostgres(cluster, major=major)
    try:
        return Place(server.start().url(), cluster.parent).rows()
    finally:
        server.stop()


def test_an_older_cluster_is_refused_by_start_and_moved_by_upgrade(folder: Path) -> None:
    deployment = TestDeployment(folder, "")
    cluster = folder / "var" / "postgres"
    before = rows(cluster, OLD)
    with pytest.raises(EmbeddedPostgresError, match="platformctl db upgrade"):
        EmbeddedPostgres(cluster).start()

    answer = deployment.call("db", "upgrade", "--json", DATABASE_URL="")

    assert answer.code == 0, answer.out + answer.err
    assert (answer.document["before"], answer.document["after"]) == (16, 18)
    server = EmbeddedPostgres(cluster)
    with psycopg.connect(server.start().url()) as connection:
        assert connection.info.server_version // 10_000 == 18
    server.stop()
    assert rows(cluster, 18) == before
    kept = Path(answer.document["kept"])
    assert rows(kept, OLD) == before
    assert Path(answer.document["backup"]).is_file()
    with pytest.raises(BackupError) as nothing:
        upgrade_cluster(folder / "var", folder / "platform.toml", progress=silent)
    assert nothing.value.code == "nothing_to_upgrade"
    assert drop_kept_clusters(folder / "var") == [kept]
    assert rows(cluster, 18) == before


@pytest.mark.parametrize("moved", [0, 1])
def test_an_exchange_of_clusters_that_was_killed_is_finished(tmp_path: Path, moved: int) -> None:
    for name in ("postgres", "postgres.upgrade"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    (tmp_path / JOURNAL).write_text(json.dumps({"kept": "postgres-16-then"}))
    if moved:
        (tmp_path / "postgres").rename(tmp_path / "postgres-16-then")

    finish_if_interrupted(tmp_path)

    assert (tmp_path / "postgres" / "which").read_text() == "postgres.upgrade"
    assert (tmp_path / "postgres-16-then" / "which").read_text() == "postgres"
    assert sorted(os.listdir(tmp_path)) == ["backup.lock", "postgres", "postgres-16-then"]  # noqa: PTH208
