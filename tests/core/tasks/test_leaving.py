"""A plugin that leaves for good takes its jobs along, and brings them back with its archive."""

from __future__ import annotations

from pathlib import Path

from tests.core.tasks.ground import Ground, until

OF_TOYS = (
    "SELECT (SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'toys'), "
    "(SELECT count(*) FROM platform_core_scheduletick WHERE plugin = 'toys'), "
    "(SELECT count(*) FROM platform_core_taskrecord WHERE plugin = 'toys')"
)


def test_jobs_and_schedules_leave_and_return_with_the_plugin(
    ground: Ground, tmp_path: Path
) -> None:
    done = ground.enqueue("play.enqueue(1)")
    with ground.worker():
        until(lambda: ground.status(done) == "succeeded")
    waiting = ground.enqueue("play.enqueue(2)")
    before = ground.query(OF_TOYS)
    archive = tmp_path / "toys.zip"

    left = ground.deployment.call(
        "plugin", "uninstall", "toys", "--confirm", "toys", "--archive", str(archive), "--json"
    )

    assert left.code == 0, left.out
    assert before[0][2] == 1
    assert ground.query(OF_TOYS) == [(0, 0, 0)]
    back = ground.deployment.call("plugin", "restore", str(archive), "--json")
    assert back.code == 0, back.out
    assert ground.query(OF_TOYS) == before
    assert ground.status(waiting) == "todo"
    with ground.worker():
        until(lambda: ground.status(waiting) == "succeeded")
    assert ground.effects("2") == 1
