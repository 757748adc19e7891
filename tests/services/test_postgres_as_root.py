"""Show how root runs the server without giving it root's power (collected as root only)."""

import os
from pathlib import Path

import pytest

from platform_core.services import EmbeddedPostgresError
from platform_core.services._binaries import find_binaries
from tests.services.ground import (
    IS_ROOT,
    Ground,
    ask,
    clear,
    in_another_process,
    new_ground,
    postgres,
)

if IS_ROOT:

    def _capabilities(pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        values = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
        assert values["CapEff"] == values["CapPrm"]
        return int(values["CapEff"], 16)

    @pytest.mark.parametrize("kind", ["root, open folder", "root, closed folder"])
    def test_the_server_of_root_has_one_capability_at_most(kind: str) -> None:
        ground = new_ground(kind)
        try:
            info = postgres(ground.path / "postgres").start()
            closed = kind == "root, closed folder" or not all(
                parent.stat().st_mode & 0o001 for parent in find_binaries().root.parents
            )
            assert "\nUid:\t0" not in Path(f"/proc/{info.pid}/status").read_text()
            assert _capabilities(info.pid) == (1 << 2 if closed else 0)
        finally:
            clear(ground)

    def test_two_users_run_servers_at_once(reachable_wheel: Path | None) -> None:
        grounds = [new_ground("root, closed folder"), new_ground("plain user", reachable_wheel)]
        try:
            infos = [ground.run(postgres(ground.path / "postgres").start) for ground in grounds]
            assert [ask(info, "SELECT 1") for info in infos] == [1, 1]
        finally:
            for ground in grounds:
                clear(ground)

    def test_a_data_directory_of_root_is_refused(own_ground: Ground) -> None:
        (own_ground.path / "postgres" / "data").mkdir(parents=True)
        with pytest.raises(EmbeddedPostgresError, match="refuses to run"):
            postgres(own_ground.path / "postgres").start()

    def test_a_plain_user_is_told_whose_database_it_is(reachable_wheel: Path | None) -> None:
        ground = new_ground("plain user", reachable_wheel)
        folder = ground.path / "postgres"
        folder.mkdir()
        os.chown(folder, ground.uid, -1)
        (folder / "data").mkdir()
        os.chown(folder / "data", 12345, -1)

        def behaviour() -> str:
            with pytest.raises(EmbeddedPostgresError) as caught:
                postgres(folder).start()
            return str(caught.value)

        try:
            assert "belongs to user id 12345" in ground.run(behaviour)
        finally:
            clear(ground)

    def test_without_capabilities_the_ways_out_are_named(own_ground: Ground) -> None:
        """Leave root without the right to set capabilities, as some containers do."""
        drop = "import ctypes; assert ctypes.CDLL(None).prctl(24, 2, 0, 0, 0) == 0;"
        drop += "import os; os.execv(sys.executable, [sys.executable, '-c', "
        drop += f"{_START_AND_PRINT!r}, *sys.argv[1:]])"
        caller = in_another_process(drop, own_ground.path / "postgres")
        said, _ = caller.communicate(timeout=60)
        assert "CAP_DAC_READ_SEARCH" in said
        assert "DATABASE_URL" in said

    _START_AND_PRINT = """
import pathlib, sys
from platform_core.services import EmbeddedPostgres, EmbeddedPostgresError
try:
    EmbeddedPostgres(pathlib.Path(sys.argv[1])).start()
except EmbeddedPostgresError as error:
    print(error)
"""
