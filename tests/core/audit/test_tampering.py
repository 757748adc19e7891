"""Every way to tamper with a sealed trail is found and the record named; ten thousand: ``tests.drills.audit_tampering``."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

import pytest

from platform_core.audit import digests, sealing, verifying
from platform_core.testing.contract.structure import scratch_database
from tests.core.audit.tampering import WAYS, Trail, make_trail, tamper

ROUNDS = 4


@pytest.fixture
def scratch(transactional_db: None, own_checkpoints: None) -> Iterator[None]:
    with scratch_database():
        yield


@pytest.fixture
def trail(scratch: None) -> Trail:
    return make_trail(random.Random(7))


def test_what_nobody_touched_is_sound_with_erased_parts_in_it(trail: Trail) -> None:
    verdict = verifying.verify(trail.file, grace=dt.timedelta(0))
    assert verdict.broken is None
    assert (verdict.sealed, verdict.unsealed, verdict.erased) == (trail.head, 0, 4)
    assert verdict.covered_to == trail.head


def test_every_tampering_is_found_and_its_record_named(trail: Trail) -> None:
    tally = tamper(trail, random.Random(11), ROUNDS * len(WAYS))
    assert tally.missed == []
    assert set(tally.tried) == set(WAYS)


def test_a_verifier_that_skips_a_column_is_caught(
    scratch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_a_blind_spot(monkeypatch)
    tally = tamper(make_trail(random.Random(7)), random.Random(11), 15, "change_")
    assert len(tally.missed) == 1
    assert tally.missed[0].startswith("change_reason: nothing was found")


def plant_a_blind_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the reason out of what is sealed and verified."""
    place = digests.COLUMNS.index("reason")

    def blind(row: Any) -> bytes:
        return digests.event_digest([*row[:place], "", *row[place + 1 :]])

    monkeypatch.setattr(sealing, "event_digest", blind)
    monkeypatch.setattr(verifying, "event_digest", blind)
