"""Workers in processes of their own: jobs run once in effect, whatever happens to the workers."""

from __future__ import annotations

import json
import signal
import time

from tests.core.tasks.ground import Ground, kill, until


def test_a_job_runs_and_keeps_its_result(ground: Ground) -> None:
    job = ground.enqueue("play.enqueue(7)")

    with ground.worker():
        until(lambda: ground.status(job) == "succeeded")

    found = ground.run(f"print(tasks.play.get_result('{job}').return_value)")
    assert found == "{'number': 7}"


def test_what_is_rolled_back_was_never_enqueued(ground: Ground) -> None:
    before = ground.query("SELECT count(*) FROM procrastinate_jobs")
    ground.run(
        "from django.db import transaction\n"
        "try:\n"
        "    with transaction.atomic():\n"
        "        tasks.play.enqueue(1)\n"
        "        raise ValueError\n"
        "except ValueError:\n"
        "    pass\n"
    )

    assert ground.query("SELECT count(*) FROM procrastinate_jobs") == before


def test_a_killed_worker_s_job_runs_elsewhere_and_once_in_effect(ground: Ground) -> None:
    job = ground.enqueue("play.enqueue(41, pause=1.5)")
    first = ground.start_worker()
    until(lambda: ground.status(job) == "doing")

    kill(first)

    assert ground.status(job) == "doing"
    with ground.worker():
        until(lambda: ground.status(job) == "succeeded")
    assert ground.effects("41") == 1


def test_a_job_outside_a_transaction_may_run_twice_under_the_same_key(ground: Ground) -> None:
    job = ground.enqueue("play_freely.enqueue(42, pause=1.5)")
    first = ground.start_worker()
    until(lambda: ground.effects("42") == 1)

    kill(first)

    with ground.worker():
        until(lambda: ground.status(job) == "succeeded")
    keys = ground.query("SELECT job FROM toys_effect WHERE what = '42'")
    assert keys == [(job,), (job,)]


def test_a_worker_that_stops_finishes_its_job(ground: Ground) -> None:
    job = ground.enqueue("play.enqueue(43, pause=1.5)")
    with ground.worker() as process:
        until(lambda: ground.status(job) == "doing")
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0

    assert ground.status(job) == "succeeded"


def test_a_job_that_takes_longer_than_the_grace_runs_elsewhere(ground: Ground) -> None:
    job = ground.enqueue("play.enqueue(44, pause=4)")
    with ground.worker("--grace", "0") as process:
        until(lambda: ground.status(job) == "doing")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)

    with ground.worker():
        until(lambda: ground.status(job) == "succeeded")
    assert ground.effects("44") == 1


def test_a_failing_job_is_tried_again_and_its_effects_count_once(ground: Ground) -> None:
    job = ground.enqueue("break_twice.enqueue()")

    with ground.worker():
        until(lambda: ground.status(job) == "succeeded")

    assert ground.query("SELECT count(*) FROM toys_effect WHERE job = %s", job) == [(1,)]
    assert ground.query(
        "SELECT failures, result::text FROM platform_core_taskrecord WHERE job_id = %s", job
    ) == [(2, '"mended"')]


def test_a_job_that_fails_for_good_keeps_an_error_id_and_no_text(ground: Ground) -> None:
    job = ground.enqueue("break_twice.enqueue(times=9)")

    with ground.worker():
        until(lambda: ground.status(job) == "failed")

    ((error_id, error_class, row),) = ground.query(
        "SELECT error_id, error_class, r::text FROM platform_core_taskrecord AS r WHERE job_id = %s",
        job,
    )
    assert error_id
    assert error_class == "builtins.RuntimeError"
    assert "hunter2" not in row
    log = (ground.deployment.folder / "worker.err").read_text()
    told = [json.loads(line) for line in log.splitlines() if error_id in line]
    assert told
    assert {one["plugin"] for one in told} == {"toys"}


def test_a_key_is_queued_once(ground: Ground) -> None:
    first, second, other = (
        ground.enqueue(f"tidy.enqueue({name!r})") for name in ("bear", "bear", "doll")
    )

    assert first == second != other
    with ground.worker():
        until(lambda: ground.status(other) == "succeeded" and ground.status(first) == "succeeded")
    assert ground.effects("bear") == 1
    assert ground.enqueue("tidy.enqueue('bear')") != first


def test_progress_is_seen_and_a_cancelled_job_leaves_nothing(ground: Ground) -> None:
    job = ground.enqueue("wait_for_it.enqueue(60)")
    with ground.worker():
        until(
            lambda: ground.query(
                "SELECT 1 FROM platform_core_taskrecord WHERE job_id = %s AND progress_done = 1 "
                "AND progress_total = 2 AND running",
                job,
            )
        )
        answer = ground.deployment.call("tasks", "cancel", job, "--json")
        assert answer.document["status"] == "running"
        until(lambda: ground.status(job) == "aborted", within_s=15)

    assert ground.query("SELECT count(*) FROM toys_effect WHERE job = %s", job) == [(0,)]
    assert ground.deployment.call("tasks", "retry", job, "--json").code == 0
    assert ground.status(job) == "todo"
    assert (
        ground.deployment.call("tasks", "cancel", job, "--json").document["status"] == "cancelled"
    )


def test_a_dormant_plugin_s_jobs_wait_and_resume(ground: Ground) -> None:
    job = ground.enqueue("play.enqueue(45)")
    lists = {"sections": "task_stalled_after = 2\n"}
    ground.deployment.write(plugins=["identity"], dormant=["toys"], **lists)
    assert ground.deployment.call("migrate").code == 0
    with ground.worker():
        time.sleep(1)  # long enough for it to be taken
        assert ground.status(job) == "todo"
        refused = ground.deployment.call("worker", "--queue", "toys", "--json")
        assert refused.problems[0]["code"] == "unknown_queue"
    ground.deployment.write(plugins=["identity", "toys"], **lists)
    assert ground.deployment.call("migrate").code == 0
    with ground.worker():
        until(lambda: ground.status(job) == "succeeded")
