"""Show that kills, interruptions and races leave one sound server, with real SIGKILL."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from platform_core.services import EmbeddedPostgresError
from platform_core.services._processes import end_launched
from tests.services.ground import (
    Ground,
    ask,
    in_another_process,
    kill_hard,
    postgres,
    wait_until,
)


def test_a_killed_server_starts_again_with_its_data(ground: Ground) -> None:
    def behaviour() -> None:
        server = postgres(ground.path / "postgres")
        first = server.start()
        with psycopg.connect(first.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        kill_hard(first)
        second = server.start()
        assert second.pid != first.pid
        assert ask(second, "SELECT answer FROM kept") == 42
        server.stop()

    ground.run(behaviour)


def test_a_killed_server_behind_a_long_path_is_found_where_it_was(own_ground: Ground) -> None:
    server = postgres(own_ground.path / ("l" * 120) / "postgres")
    first = server.start()
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: server.running() is None)
    assert server.start().host == first.host
    server.stop()
    assert not Path(first.host).exists()


def test_a_socket_folder_that_somebody_else_prepared_is_not_used(own_ground: Ground) -> None:
    server = postgres(own_ground.path / ("l" * 120) / "postgres")
    taken = Path(server.start().host)
    server.stop()
    taken.mkdir(mode=0o755)
    taken.chmod(0o755)
    try:
        info = server.start()
        assert Path(info.host) != taken
        assert ask(info, "SELECT 1") == 1
    finally:
        server.stop()
        taken.rmdir()


def test_a_process_id_reused_by_a_stranger_is_neither_trusted_nor_harmed(ground: Ground) -> None:
    def behaviour() -> None:
        folder = ground.path / "postgres"
        server = postgres(folder)
        info = server.start()
        kill_hard(info)
        stranger = subprocess.Popen(["/bin/sleep", "60"], cwd=folder)
        for record in (folder / "data/postmaster.pid", folder / "socket/.s.PGSQL.5432.lock"):
            lines = record.read_text().splitlines()
            record.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        try:
            assert server.running() is None
            server.stop()
            assert ask(server.start(), "SELECT 1") == 1
            server.stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()

    ground.run(behaviour)


def test_a_busy_backend_that_outlived_its_server_is_ended(ground: Ground) -> None:
    def behaviour() -> None:
        server = postgres(ground.path / "postgres")
        other = postgres(ground.path / "other")
        bystander = other.start()
        info = server.start()
        busy = psycopg.connect(info.url())
        backend = busy.info.backend_pid
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1e15::bigint)")
        active = f"SELECT state = 'active' FROM pg_stat_activity WHERE pid = {backend}"
        wait_until(lambda: ask(info, active) is True)
        kill_hard(info)
        os.kill(backend, 0)  # it is an orphan now: alive, holding the shared memory
        assert ask(server.start(), "SELECT 1") == 1
        wait_until(lambda: not Path(f"/proc/{backend}/cwd").exists())
        assert other.running() == bystander
        busy.close()
        server.stop()
        other.stop()

    ground.run(behaviour)


def test_an_interrupted_first_start_is_done_again(own_ground: Ground) -> None:
    unfinished = own_ground.path / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    assert ask(postgres(own_ground.path / "postgres").start(), "SELECT 1") == 1
    assert not unfinished.exists()


def test_two_processes_starting_at_once_get_one_server(own_ground: Ground) -> None:
    folder = own_ground.path / "postgres"
    callers = [in_another_process("print(server.start().pid)", folder) for _ in range(3)]
    pids = {caller.communicate(timeout=60)[0].strip() for caller in callers}
    info = postgres(folder).running()
    assert info is not None
    assert pids == {str(info.pid)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_server_survives_the_end_of_its_caller(own_ground: Ground, number: int) -> None:
    folder = own_ground.path / "postgres"
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start = "print(server.start().pid, flush=True); time.sleep(60)"
    caller = in_another_process(interruptible + start, folder)  # even where the run ignores SIGINT
    assert caller.stdout is not None
    pid = int(caller.stdout.readline())
    os.killpg(caller.pid, number)
    caller.communicate(timeout=10)
    info = postgres(folder).running()
    assert info is not None
    assert info.pid == pid
    assert ask(info, "SELECT 1") == 1


DEAF_AT_FIRST = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(0.3)
signal.signal(signal.SIGINT, signal.SIG_DFL)
time.sleep(60)
"""


def test_what_has_not_heard_a_signal_is_asked_again() -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF_AT_FIRST], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"deaf\n"
        end_launched(process)
        assert process.returncode == -signal.SIGINT


def test_a_start_that_takes_too_long_leaves_no_server(own_ground: Ground) -> None:
    server = postgres(own_ground.path / "postgres")
    server.start()
    server.stop()
    for _ in range(5):
        with pytest.raises(EmbeddedPostgresError, match="not ready in time"):
            server.start(timeout_s=0)
        time.sleep(0.2)  # in which one that was forgotten would come up
        assert not (own_ground.path / "postgres" / "data" / "postmaster.pid").exists()
    assert ask(server.start(), "SELECT 1") == 1
