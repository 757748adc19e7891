"""The short form of the drill `tests.drills.postgres_kills`."""

from tests.drills.killing import run_kills
from tests.drills.postgres_kills import LAZY
from tests.services.ground import Ground

SMALL = {"shared_buffers": "16MB"}


def test_kills_under_writes_lose_no_acknowledged_write(own_ground: Ground) -> None:
    outcome = run_kills(own_ground.path, 4, clients=4, settings=SMALL)

    assert outcome.faults == []
    assert outcome.kills == 4
    assert outcome.acknowledged > 0


def test_the_drill_catches_a_server_that_acknowledges_too_early(own_ground: Ground) -> None:
    outcome = run_kills(own_ground.path, 8, clients=4, settings=LAZY | SMALL, stop_at_fault=True)

    assert "acknowledged writes are lost" in outcome.faults[0]
