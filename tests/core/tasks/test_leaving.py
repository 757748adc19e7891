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

    taken = (  # another database, in which somebody else's job has the number, and new ones begin lower
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, lock) VALUES (%s, 'others', 'others.work', '')"
    )
    ground.query(taken, int(waiting))
    refused = ground.deployment.call("plugin", "restore", str(archive), "--json")
    assert [one["code"] for one in refused.problems] == ["rows_taken"]
    assert "procrastinate_jobs" in refused.problems[0]["message"]
    assert ground.query(OF_TOYS) == [(0, 0, 0)]
    ground.query("DELETE FROM procrastinate_jobs WHERE queue_name = 'others'")
    ground.query("ALTER SEQUENCE procrastinate_jobs_id_seq RESTART WITH 1")

    back = ground.deployment.call("plugin", "restore", str(archive), "--json")
    assert back.code == 0, back.out
    assert ground.query(OF_TOYS) == before
    assert ground.status(waiting) == "todo"
    with ground.worker():
        until(lambda: ground.status(waiting) == "succeeded")
    assert ground.effects("2") == 1
    assert int(ground.enqueue("play.enqueue(3)")) > int(waiting)
