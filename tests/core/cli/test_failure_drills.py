"""The short forms of the drills ``bodies``, ``redis_gone`` and ``postgres_under_load``."""

from __future__ import annotations

from pathlib import Path

from tests.drills import bodies, postgres_under_load, redis_gone

BODIES = 64 * bodies.MIB


def test_large_bodies_are_refused_early_and_never_held(tmp_path: Path) -> None:
    names = ("create, token", "create, cookie, multipart", "sign-in", "bulk, token", "unknown")
    targets = [one for one in bodies.TARGETS if one.name in names]
    with bodies.served_deployment(tmp_path / "site", targets) as (served, caller):
        found = bodies.run(served, caller, BODIES, targets, tuple(bodies.FRAMINGS))

    assert found.faults == []
    assert found.bodies == len(names) * len(bodies.FRAMINGS)
    assert found.others > 0


def test_the_drill_catches_whoever_reads_whole_bodies(tmp_path: Path) -> None:
    targets = bodies.TARGETS[1:2]
    with bodies.served_deployment(tmp_path / "site", targets, greedy=True) as (served, caller):
        found = bodies.run(served, caller, BODIES, targets, ["true"])

    assert any("grew" in fault for fault in found.faults)
    assert any("before the answer" in fault for fault in found.faults)


def test_while_redis_is_gone_all_are_answered_and_guesses_counted(tmp_path: Path) -> None:
    phases = redis_gone.run(tmp_path, 3)

    assert [fault for phase in phases for fault in phase.faults] == []
    assert [phase.guesses for phase in phases] == [redis_gone.WRONG_PASSWORDS] * 6


def test_the_drill_catches_sign_ins_that_are_counted_in_redis(tmp_path: Path) -> None:
    phases = redis_gone.run(tmp_path, 1, settings=redis_gone.STRICT, until="gone")

    assert any("answered 5" in fault for phase in phases for fault in phase.faults)


def test_kills_of_the_database_under_load_lose_nothing(tmp_path: Path) -> None:
    found = postgres_under_load.run_kills(tmp_path / "site", 3)

    assert found.faults == []
    assert found.kills == 3
    assert found.acknowledged > 0


def test_the_drill_catches_acknowledged_writes_that_are_gone(tmp_path: Path) -> None:
    found = postgres_under_load.run_kills(
        tmp_path / "site",
        8,
        settings=postgres_under_load.LAZY,
        stop_at_fault=True,
    )

    assert any("acknowledged writes are lost" in fault for fault in found.faults)
