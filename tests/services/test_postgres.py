"""Show what the embedded PostgreSQL server offers its deployment."""

import os
import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from platform_core.services import EmbeddedPostgres, EmbeddedPostgresError, ServerInfo
from tests.services.ground import (
    Ground,
    ask,
    modes_below,
    postgres,
)


def test_a_started_server_keeps_data_over_a_restart(ground: Ground) -> None:
    def behaviour() -> None:
        server = postgres(ground.path / "data" / "postgres")
        assert server.running() is None
        first = server.start()
        with psycopg.connect(first.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server.stop()
        assert server.running() is None
        again = server.start()
        assert again.password == first.password
        assert ask(again, "SELECT answer FROM kept") == 42
        server.stop()

    ground.run(behaviour)


@pytest.mark.parametrize(
    "name",
    ["a space and an é", 'it\'s "quoted" $HOME `x` %2F', "one,two", "l" * 120 + "/" + "m" * 120],
    ids=["space and é", "quotes", "comma", "very long"],
)
def test_the_folder_may_have_any_usual_path(ground: Ground, name: str) -> None:
    def behaviour() -> None:
        folder = ground.path / name / "postgres"
        server = postgres(folder)
        info = server.start()
        assert ask(info, "SELECT current_database()") == "platform"
        assert server.start() == info
        assert len(os.fsencode(f"{info.host}/.s.PGSQL.{info.port}")) <= 107
        assert stat.S_IMODE(Path(info.host).stat().st_mode) == 0o700
        server.stop()
        inside = Path(info.host).is_relative_to(folder)
        assert Path(info.host).exists() == inside  # a folder for temporary files is removed

    ground.run(behaviour)


def test_starting_twice_adopts_the_running_server(ground: Ground) -> None:
    def behaviour() -> None:
        folder = ground.path / "postgres"
        info = postgres(folder).start()
        other = postgres(folder)
        assert other.running() == info
        assert other.start() == info
        other.stop()
        other.stop()
        assert postgres(folder).running() is None

    ground.run(behaviour)


def test_no_mode_or_owner_outside_the_folder_changes(ground: Ground) -> None:
    (ground.path / "neighbour").write_text("")
    before = modes_below(ground.path)

    def behaviour() -> None:
        server = postgres(ground.path / "postgres")
        server.start()
        server.stop()

    ground.run(behaviour)
    after = modes_below(ground.path)
    assert {path: after[path] for path in before} == before
    created = {path: mode for path, (mode, _, _) in after.items() if path not in before}
    assert not [path for path, mode in created.items() if mode & 0o077]
    assert stat.S_IMODE(created[str(ground.path / "postgres" / "password")]) == 0o600
    assert not [path for path in created if "initdb-password" in path]


def test_an_existing_folder_keeps_its_mode_and_owner(own_ground: Ground) -> None:
    folder = own_ground.path / "postgres"
    folder.mkdir(mode=0o750)
    before = folder.stat()
    postgres(folder).start()
    after = folder.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)


def test_the_server_is_utf8_utc_and_without_a_tcp_port(own_ground: Ground) -> None:
    info = postgres(own_ground.path / "postgres").start()
    for question, answer in {
        "SHOW server_encoding": "UTF8",
        "SHOW timezone": "UTC",
        "SHOW listen_addresses": "",
        "SHOW password_encryption": "scram-sha-256",
        "SHOW data_checksums": "on",
        "SELECT datlocale FROM pg_database WHERE datname = current_database()": "C.UTF-8",
        "SELECT upper('é')": "É",
        "SHOW fsync": "off",
    }.items():
        assert ask(info, question) == answer


def test_the_application_may_create_databases_but_is_no_superuser(own_ground: Ground) -> None:
    info = postgres(own_ground.path / "postgres").start()
    question = "SELECT rolcreatedb AND NOT rolsuper FROM pg_roles WHERE rolname = current_user"
    assert ask(info, question) is True
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(info, "SELECT pg_read_file('/etc/hostname')")


def test_the_password_is_in_no_representation_command_line_or_log(own_ground: Ground) -> None:
    folder = own_ground.path / "postgres"
    info = postgres(folder).start()
    assert info.password not in repr(info)
    assert info.password.encode() not in Path(f"/proc/{info.pid}/cmdline").read_bytes()
    for log in [folder / "server.log", *(folder / "log").iterdir()]:
        assert info.password not in log.read_text()


def test_the_url_survives_special_characters() -> None:
    info = ServerInfo("/a b/é&?%2F#/Sock", 5432, "us/er", "p@:/?#[]%", "d b/é", 1)
    parsed = psycopg.conninfo.conninfo_to_dict(info.url())
    assert parsed["host"] == info.host
    assert (parsed["user"], parsed["password"]) == (info.user, info.password)
    assert parsed["dbname"] == info.database
    assert parse_qs(urlsplit(info.url()).query)["host"] == [info.host]


def test_a_lost_password_file_is_renewed_at_the_next_start(own_ground: Ground) -> None:
    folder = own_ground.path / "postgres"
    server = postgres(folder)
    first = server.start()
    (folder / "password").unlink()
    with pytest.raises(EmbeddedPostgresError, match="Stop the server"):
        server.start()
    server.stop()
    second = server.start()
    assert second.password != first.password
    assert ask(second, "SELECT 1") == 1


def test_each_database_named_is_created(own_ground: Ground) -> None:
    folder = own_ground.path / "postgres"
    postgres(folder).start()
    other = EmbeddedPostgres(folder, database='other "é"').start()
    assert ask(other, "SELECT current_database()") == 'other "é"'


def test_two_deployments_run_at_once(ground: Ground) -> None:
    def behaviour() -> None:
        servers = [postgres(ground.path / name / "postgres") for name in ("one", "two")]
        infos = [server.start() for server in servers]
        for number, info in enumerate(infos):
            with psycopg.connect(info.url()) as connection:
                connection.execute(f"CREATE TABLE mine AS SELECT {number} AS number".encode())
        assert [ask(info, "SELECT number FROM mine") for info in infos] == [0, 1]
        servers[0].stop()
        assert ask(infos[1], "SELECT 1") == 1
        servers[1].stop()

    ground.run(behaviour)


def test_a_smart_stop_waits_for_clients_and_says_so(own_ground: Ground) -> None:
    server = postgres(own_ground.path / "postgres")
    info = server.start()
    client = psycopg.connect(info.url())
    with pytest.raises(EmbeddedPostgresError, match=r"has not stopped in 0\.5 s"):
        server.stop(mode="smart", timeout_s=0.5)
    client.close()
    server.stop(mode="fast")
    assert server.running() is None
