"""The chain under concurrency, kills and restores, and the checkpoints outside of the database."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pytest
from django.conf import settings
from django.db import connection, transaction

from platform_core.access import acting_as, system_actor
from platform_core.audit import sealing, verifying
from platform_core.audit.checkpoints import append_checkpoint, checkpoint_file, own_file
from platform_core.audit.recording import Event, write_events
from platform_core.audit.sealing import Sealer, head_of_chain, seal_all, seal_by
from platform_core.testing.contract.structure import scratch_database
from tests.core.audit.tampering import seal_until_complete

NONE = dt.timedelta(0)
PATIENCE_S = 600
"""After so long a test that hangs fails; nothing is measured by it."""


@pytest.fixture(autouse=True)
def scratch(transactional_db: None, own_checkpoints: None) -> Iterator[None]:
    with scratch_database():
        seal_all(settings.PLATFORM.deployment)
        yield


def write(number: int = 1) -> None:
    with acting_as(system_actor("test")):
        for _ in range(number):
            write_events([Event(action="tested", personal={"address": "192.0.2.1"})])


def verdict(grace: dt.timedelta = NONE) -> verifying.Verdict:
    return verifying.verify(own_file(settings.PLATFORM.deployment), grace=grace)


def last_line() -> Any:
    return json.loads(checkpoint_file(settings.PLATFORM.deployment).read_text().splitlines()[-1])


def use_command(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    state = settings.PLATFORM
    core = state.deployment.core.model_copy(update={"audit_checkpoint_command": command})
    deployment = dataclasses.replace(state.deployment, core=core)
    monkeypatch.setattr(settings, "PLATFORM", dataclasses.replace(state, deployment=deployment))


class Held:
    """An event that another connection has written and not committed."""

    def __init__(self) -> None:
        self._go, self._written = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._written.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.commit()

    def _write(self) -> None:
        try:
            with transaction.atomic():
                write()
                self._written.set()
                self._go.wait(PATIENCE_S)
        finally:
            connection.close()

    def commit(self) -> None:
        self._go.set()
        self._thread.join()


def test_what_is_committed_late_is_sealed_late_and_not_forgotten() -> None:
    sealer = Sealer()
    with Held() as held:
        write(2)
        assert seal_by(sealer).events == 2
        before = last_line()
        held.commit()
    assert seal_by(sealer).events == 1
    seal_until_complete(sealer)
    assert before["complete_to"] < last_line()["complete_to"]
    assert verdict().broken is None
    assert verdict().unsealed == 0


def test_several_who_seal_at_once_make_one_chain() -> None:
    write(300)

    def seal(_number: int) -> int:
        try:
            return Sealer().seal().events
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sealed = sum(pool.map(seal, range(8)))
    sealed += seal_all(settings.PLATFORM.deployment).events
    assert sealed == 300
    assert verdict().broken is None


def test_more_than_a_batch_is_sealed_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 10)
    monkeypatch.setattr(sealing, "_UNSEALED", sealing._UNSEALED.replace("LIMIT 1000", "LIMIT 10"))
    write(35)
    assert Sealer().seal().events == 35
    assert verdict().broken is None


def test_a_seal_without_its_checkpoint_is_told_after_a_while_and_covered_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write()
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "append_checkpoint", lambda *_, **__: None)
        Sealer().seal()  # as if it had been killed here
    assert verdict(dt.timedelta(minutes=5)).broken is None
    broken = verdict().broken
    assert broken is not None
    assert broken.fault == "uncovered"
    Sealer().seal()
    assert verdict().broken is None


def test_a_line_that_was_being_written_when_the_power_went_is_cut() -> None:
    path = checkpoint_file(settings.PLATFORM.deployment)
    write()
    Sealer().seal()
    with path.open("ab") as file:
        file.write(b'{"number": 3, "kin')
    broken = verdict().broken
    assert broken is not None
    assert broken.record == "checkpoint"
    write()
    Sealer().seal()
    assert verdict().broken is None


def test_a_restore_that_was_signed_is_no_truncation() -> None:
    write(3)
    seal_all(settings.PLATFORM.deployment)
    head = head_of_chain()
    assert head is not None
    write(2)
    seal_all(settings.PLATFORM.deployment)
    with connection.cursor() as cursor:
        for table in ("auditevent", "auditpayload", "auditseal"):
            cursor.execute(f"ALTER TABLE platform_core_{table} DISABLE TRIGGER USER")
        cursor.execute(
            "DELETE FROM platform_core_auditevent WHERE id IN (SELECT event_id FROM platform_core_auditseal WHERE seq > %s)",
            [head[0]],
        )
        cursor.execute(
            "DELETE FROM platform_core_auditpayload p WHERE NOT EXISTS (SELECT FROM platform_core_auditevent e WHERE e.id = p.event_id)"
        )
        cursor.execute("DELETE FROM platform_core_auditseal WHERE seq > %s", [head[0]])
    broken = verdict().broken
    assert broken is not None
    assert (broken.fault, broken.number) == ("truncated", head[0] + 1)
    append_checkpoint(
        settings.PLATFORM.deployment,
        head_of_chain,
        complete_to=0,
        kind="restored",
        reason="test",
    )
    assert verdict().broken is None
    write(4)
    seal_all(settings.PLATFORM.deployment)
    found = verdict()
    assert (found.broken, found.sealed) == (None, head[0] + 4)


def test_each_checkpoint_is_handed_to_the_operators_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "elsewhere"
    keep = f"import sys; open({str(copy)!r}, 'a').write(sys.stdin.read())"
    use_command(monkeypatch, [sys.executable, "-c", keep])
    write()
    Sealer().seal()
    assert json.loads(copy.read_text().splitlines()[-1]) == last_line()


def test_a_command_that_fails_keeps_nobody_from_sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    use_command(monkeypatch, ["/no/such/program"])
    write()
    assert Sealer().seal().events == 1
    assert verdict().broken is None
